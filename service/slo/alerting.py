"""Alerting rules: one function per alert of the runbook."""

from instrumentation import semconv
from service.slo import definition as slo
from service.slo.compression import Compression
from service.slo.duration import Duration
from service.slo.promql import (
    ATTEMPTS,
    CANCELLED,
    COUNTED,
    DROPPED_SPANS,
    ENGINE,
    EVENT_LOOP_LAG,
    FAILED,
    INLINE,
    JOB_INSTANCE,
    JOB_WORKFLOW,
    JOB_WORKFLOW_OPERATION,
    NOT_ENGINE,
    OPERATIONS,
    TIMED_OUT,
    WORKFLOW_RUNS,
    Labels,
    largest,
    lines,
    over,
    quoted,
    selector,
    summed,
)
from service.slo.recording import (
    ATTEMPTS_PER_OPERATION,
    OPERATION,
    OPERATION_FAILURE_BOUND,
    SHORT,
    WORKFLOW,
    Level,
    Rule,
)

WORKFLOWS = "retryscope-workflows"
RETRIES = "retryscope-retries"
CANCELLATIONS = "retryscope-cancellations"
SERVICE = "retryscope-service"
LIBRARY = "retryscope-library"


class AlertRules:
    """The alerting rules of a definition."""

    def __init__(self, definition: slo.SloDefinition, compression: Compression) -> None:
        self._definition = definition
        self._alerts = definition.alerts
        self._compression = compression

    def all_but_burn_rates(self) -> list[Rule]:
        """The alerts that are not about the objective, in the order of the runbook."""
        return [
            self._stalled(),
            self._service_down(),
            self._operation_failure_ratio_high(),
            self._timeout_ratio_high(),
            self._retry_storm(),
            self._concurrency_saturated(),
            self._event_loop_lag_high(),
            self._cancellation_spike(),
            self._telemetry_dropped(),
        ]

    def failure_budget_burn(self, burn: slo.BurnRate) -> Rule:
        """The objective of a workflow is in danger: both windows burn the budget at the factor or faster."""
        return self._budget_burn(
            "FailureBudgetBurn",
            WORKFLOW,
            burn,
            "Workflow {{ $labels.workflow }} of {{ $labels.job }}",
            self._dashboard(WORKFLOWS, *JOB_WORKFLOW),
        )

    def operation_budget_burn(self, burn: slo.BurnRate) -> Rule:
        """The same of an operation that has an objective."""
        return self._budget_burn(
            "OperationBudgetBurn",
            OPERATION,
            burn,
            "{{ $labels.operation }} ({{ $labels.workflow }}, {{ $labels.job }})",
            self._dashboard(LIBRARY, *JOB_WORKFLOW_OPERATION),
        )

    def _budget_burn(self, name: str, level: Level, burn: slo.BurnRate, subject: str, dashboard: str) -> Rule:
        limit = f"{burn.factor:.12g} * {level.budget}"
        ended = summed(self._over("increase", level.ended, burn.long, COUNTED), *level.by)
        return self._rule(
            name,
            burn,
            lines(
                f"{level.failure_ratio(burn.long)} > {limit}",
                "and",
                f"{level.failure_ratio(burn.short)} > {limit}",
                "and",
                self._enough(ended),
            ),
            f"{subject} burns its failure budget at {burn.factor:g} times the sustainable rate or faster.",
            f"{{{{ $value | humanizePercentage }}}} of its runs in the last {burn.long} failed, and the last"
            f" {burn.short} are above the limit too.",
            dashboard,
            long=str(burn.long),
            short=str(burn.short),
        )

    def _stalled(self) -> Rule:
        alert = self._alerts.stalled
        in_flight = semconv.WORKFLOWS_IN_FLIGHT.name
        least = self._over("min_over_time", in_flight, alert.window)
        # A minimum is of whatever samples there are: only of a process that is there now, and was there when
        # the window began, does it say something about the whole window.
        throughout = (
            f"{least} and {in_flight} and {in_flight} offset {self._compression.window(alert.window)}"
        )
        finished = self._over("increase", WORKFLOW_RUNS, alert.window)
        return self._rule(
            "Stalled",
            alert,
            lines(
                f"{summed(throughout, *JOB_WORKFLOW)} > 0",
                "unless",
                f"{summed(finished, *JOB_WORKFLOW)} > 0",
            ),
            "Workflow {{ $labels.workflow }} of {{ $labels.job }} does not finish any run.",
            f"None has ended in {alert.window}, though {{{{ $value }}}} or more were in flight all the time.",
            self._dashboard(WORKFLOWS, *JOB_WORKFLOW),
        )

    def _service_down(self) -> Rule:
        alert = self._alerts.service_down
        job = f"job={quoted(self._definition.job)}"
        up = selector("up", job)
        limit = semconv.CONCURRENCY_LIMIT.name
        # Workers are of the same job, and where targets are discovered one that is gone has no `up`. Of all
        # processes only the API's have a pool `inline`.
        no_api = f"absent({selector(limit, job, INLINE)}) and on (job) {limit}"
        return self._rule(
            "ServiceDown",
            alert,
            lines(f"{up} == 0", "or", f"absent({up})", "or", no_api),
            "{{ with $labels.instance }}{{ . }} of {{ end }}"
            "{{ if $labels.pool }}The API of {{ end }}{{ $labels.job }} is down.",
            "{{ if $labels.instance }}It has not answered a scrape"
            "{{ else if $labels.pool }}Workers answer, but no API process has answered a scrape"
            "{{ else }}Prometheus has had no target of this job{{ end }}"
            f" for {alert.for_}.",
            self._dashboard_of_process(),
        )

    def _operation_failure_ratio_high(self) -> Rule:
        alert = self._alerts.operation_failure_ratio_high
        by = JOB_WORKFLOW_OPERATION
        return self._rule(
            "OperationFailureRatioHigh",
            alert,
            self._share_above(OPERATION_FAILURE_BOUND, OPERATIONS, alert.window, by, FAILED, COUNTED),
            "{{ $labels.operation }} ({{ $labels.workflow }}, {{ $labels.job }}) fails.",
            f"{{{{ $value | humanizePercentage }}}} of it in the last {alert.window} failed for good; the"
            " runs that catch this look like successes.",
            self._dashboard(LIBRARY, *by),
        )

    def _timeout_ratio_high(self) -> Rule:
        alert = self._alerts.timeout_ratio_high
        by = JOB_WORKFLOW_OPERATION
        return self._rule(
            "TimeoutRatioHigh",
            alert,
            self._share_above(f"{alert.threshold:.12g}", ATTEMPTS, alert.window, by, TIMED_OUT, COUNTED),
            "{{ $labels.operation }} ({{ $labels.workflow }}, {{ $labels.job }}) times out.",
            f"{{{{ $value | humanizePercentage }}}} of attempts in the last {alert.window} hit their limit.",
            self._dashboard(CANCELLATIONS, *by),
        )

    def _retry_storm(self) -> Rule:
        alert = self._alerts.retry_storm
        by = JOB_WORKFLOW_OPERATION
        operations = summed(self._over("increase", OPERATIONS, SHORT), *by)
        return self._rule(
            "RetryStorm",
            alert,
            lines(f"{ATTEMPTS_PER_OPERATION} > {alert.threshold:.12g}", "and", self._enough(operations)),
            "Retries multiply {{ $labels.operation }} ({{ $labels.workflow }}, {{ $labels.job }}).",
            "{{ $value | humanize }} attempts per operation: what it calls fails, and gets more load for it.",
            self._dashboard(RETRIES, *by),
        )

    def _concurrency_saturated(self) -> Rule:
        alert = self._alerts.concurrency_saturated
        taken, limit = semconv.CONCURRENCY_IN_FLIGHT.name, semconv.CONCURRENCY_LIMIT.name
        own = summed(self._over("avg_over_time", taken, alert.window, NOT_ENGINE), *JOB_INSTANCE, "pool")
        # The engine is one for all API processes, and each of them reports the same of it.
        engine = largest(self._over("avg_over_time", taken, alert.window, ENGINE), "job", "pool")
        threshold = f"> {alert.threshold:.12g}"
        return self._rule(
            "ConcurrencySaturated",
            alert,
            lines(
                own,
                f"/ {summed(limit, *JOB_INSTANCE, 'pool')}",
                threshold,
                "or",
                engine,
                f"/ {largest(limit, 'job', 'pool')}",
                threshold,
            ),
            "Pool {{ $labels.pool }} of {{ with $labels.instance }}{{ . }} of {{ end }}{{ $labels.job }}"
            " is nearly full.",
            "{{ $value | humanizePercentage }} of its limit were taken on average in the last"
            f" {alert.window}; beyond it runs are refused or wait.",
            self._dashboard_of_process(),
        )

    def _event_loop_lag_high(self) -> Rule:
        alert = self._alerts.event_loop_lag_high
        by = JOB_INSTANCE
        lag = summed(self._over("rate", EVENT_LOOP_LAG, alert.window), *by, "le")
        return self._rule(
            "EventLoopLagHigh",
            alert,
            lines(f"histogram_quantile({alert.quantile:.12g}, {lag}) > {alert.threshold:.12g}"),
            "The event loop of {{ $labels.instance }} ({{ $labels.job }}) lags.",
            f"At the quantile {alert.quantile:g} it wakes its tasks {{{{ $value | humanizeDuration }}}} late:"
            " something blocks it.",
            self._dashboard(SERVICE, *by),
        )

    def _cancellation_spike(self) -> Rule:
        alert = self._alerts.cancellation_spike
        by = JOB_WORKFLOW
        return self._rule(
            "CancellationSpike",
            alert,
            self._share_above(f"{alert.threshold:.12g}", WORKFLOW_RUNS, alert.window, by, CANCELLED),
            "Many runs of workflow {{ $labels.workflow }} of {{ $labels.job }} are cancelled.",
            f"{{{{ $value | humanizePercentage }}}} of its runs in the last {alert.window} ended cancelled:"
            " callers give up, or a deployment drains.",
            self._dashboard(CANCELLATIONS, *by),
        )

    def _telemetry_dropped(self) -> Rule:
        alert = self._alerts.telemetry_dropped
        by = (*JOB_INSTANCE, "reason")
        dropped = summed(self._over("increase", DROPPED_SPANS, alert.window), *by)
        return self._rule(
            "TelemetryDropped",
            alert,
            lines(f"{dropped} > {alert.threshold}"),
            "Spans of {{ $labels.instance }} ({{ $labels.job }}) are lost: {{ $labels.reason }}.",
            f"About {{{{ $value | humanize }}}} of them in the last {alert.window}; traces are incomplete.",
            self._dashboard(SERVICE, *JOB_INSTANCE),
        )

    def _share_above(
        self, bound: str, counter: str, window: Duration, by: Labels, part: str, *whole: str
    ) -> str:
        """A share of what a counter counts is above its bound, and there is enough of it to say so."""
        some = summed(self._over("rate", counter, window, part), *by)
        all_ = summed(self._over("rate", counter, window, *whole), *by)
        number = summed(self._over("increase", counter, window, *whole), *by)
        return lines(some, f"/ {all_}", f"> {bound}", "and", self._enough(number))

    def _over(self, function: str, metric: str, window: Duration, *matchers: str) -> str:
        return over(function, metric, str(self._compression.window(window)), *matchers)

    def _enough(self, count: str) -> str:
        return f"{count} >= {self._definition.minimum_events}"

    def _dashboard(self, uid: str, *labels: str) -> str:
        """Path and query of a dashboard about what an alert is about."""
        variables = [f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels]
        return f"/d/{uid}?{'&'.join(variables)}"

    def _dashboard_of_process(self) -> str:
        """Of all processes where the alert is not about one."""
        instance = "{{ with $labels.instance }}&var-instance={{ . | urlquery }}{{ end }}"
        return self._dashboard(SERVICE, "job") + instance

    def _rule(
        self,
        name: str,
        alert: slo.Alert,
        expr: str,
        summary: str,
        description: str,
        dashboard: str,
        **labels: str,
    ) -> Rule:
        grafana = self._definition.grafana_url
        return {
            "alert": name,
            "expr": expr,
            "for": str(self._compression.hold(alert.for_)),
            "labels": {"severity": alert.severity, **labels},
            "annotations": {
                "summary": summary,
                "description": description,
                "runbook_url": f"{self._definition.runbook_url}#{name.lower()}",
                **({} if grafana is None else {"dashboard_url": f"{grafana}{dashboard}"}),
            },
        }
