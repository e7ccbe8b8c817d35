"""ServiceDown: Prometheus does not reach the service."""

from retryscope_service import semconv
from retryscope_service.slo import dashboards
from retryscope_service.slo.alerts.alert import Alert, Subject
from retryscope_service.slo.alerts.evaluation import Evaluation
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.promql import INLINE, lines, quoted, selector

_SUBJECT = Subject(
    "[{{ with $labels.instance }}{{ . }} of {{ end }}"
    "{{ if $labels.pool }}The API of {{ end }}{{ $labels.job }}]",
    "the service",
)


def service_down(definition: SloDefinition) -> Alert:
    """A target does not answer, or there is none, or only workers do."""
    settings = definition.alerts.service_down

    def promql(_: Compression) -> str:
        job = f"job={quoted(definition.job)}"
        up = selector("up", job)
        limit = semconv.CONCURRENCY_LIMIT.name
        # Workers are of the same job, and where targets are discovered one that is gone has no `up`. Of all
        # processes only the API's have a pool `inline`.
        no_api = f"absent({selector(limit, job, INLINE)}) and on (job) {limit}"
        return lines(f"{up} == 0", "or", f"absent({up})", "or", no_api)

    def value(_: Measured) -> tuple[Evaluation, ...]:
        return ()  # what evaluates it is up

    return Alert(
        name="ServiceDown",
        settings=settings,
        subject=_SUBJECT,
        summary="{subject} is down.",
        description="{{ if $labels.instance }}It has not answered a scrape"
        "{{ else if $labels.pool }}Workers answer, but no API process has answered a scrape"
        "{{ else }}Prometheus has had no target of this job{{ end }}"
        f" for {settings.for_}.",
        condition="Prometheus does not reach this service; as long as you read this here, it is up",
        unit="count",
        threshold=0.0,
        window=None,
        dashboard=dashboards.process_link(),
        promql=promql,
        value=value,
    )
