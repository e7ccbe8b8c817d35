"""Background runs: what is queued, running, finished, delivered again."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import traces, variables
from grafana.colours import ORANGE, RED, RUN_STATES
from grafana.dashboard import dashboard
from grafana.panel_kinds import PER_SECOND, Panel, current, distribution, number, overall, query, trend
from grafana.panels import pools
from grafana.promql import JOB, WORKFLOWS, total
from retryscope import semconv
from retryscope_service import semconv as service_semconv
from retryscope_service.slo import dashboards, traceql
from retryscope_service.slo.promql import largest, share, summed

NO_RUNS = "No background run ended in this time range"
IS_RUN = f"span.{service_semconv.RUN_ID} != nil"
SCOPE = (traces.IN_WORKFLOWS, traceql.IS_WORKFLOW, IS_RUN)


def build() -> Dashboard:
    """The dashboard of who submits background runs."""
    sample = f"{service_semconv.RUNS.name}_total"
    return dashboard(
        dashboards.RUNS,
        "Runs and queue",
        "Are background runs taken in time, do they end well, and are any delivered again or lost?",
        variables=[variables.job(sample), variables.workflow(sample)],
        alerts=["Stalled", "ConcurrencySaturated"],
        about=['workflow=~"$workflow|"'],
        rows=[
            ("Now", [active(), depth(), waiting(), failing(), lost(), again()]),
            ("Runs", [states(), failure_ratio(), duration(), in_flight()]),
            ("Queue", [queue(), queue_wait(), queue_wait_distribution(), pools.share(JOB)]),
            ("Deliveries", [redeliveries(), late_results()]),
            ("Traces", [failed_traces()]),
        ],
    )


def failure_ratio_of(*by: str) -> str:
    """Failed and lost runs over those that ended and were not cancelled."""
    failed = summed(WORKFLOWS.counter(service_semconv.RUNS, 'state=~"failed|lost"'), *by)
    return share(
        failed, summed(WORKFLOWS.counter(service_semconv.RUNS, 'state=~"succeeded|failed|lost"'), *by)
    )


def active() -> Panel:
    """Runs of the engine."""
    return number(
        "Active now",
        current(largest(JOB.gauge(service_semconv.RUNS_ACTIVE)), "active"),
        means="Background runs that are queued or running, of the whole engine and all workflows.",
        do="Near RETRYSCOPE_MAX_ACTIVE_RUNS new ones get 429: add workers.",
        unit="short",
        links=[traces.explore("Runs", *SCOPE)],
    )


def depth() -> Panel:
    """Runs that wait."""
    return number(
        "Queued now",
        current(largest(JOB.gauge(service_semconv.RUN_QUEUE_DEPTH)), "queued"),
        means="Background runs that wait for a worker, of the whole engine.",
        do="If it grows while workers are at their limit, add workers; if they are idle, look at the engine.",
        unit="short",
        links=[traces.explore("Runs", *SCOPE)],
    )


def waiting() -> Panel:
    """p95 of the wait in the queue."""
    return number(
        "Queue wait p95",
        current(WORKFLOWS.quantile(0.95, service_semconv.RUN_QUEUE_WAIT_DURATION), "p95"),
        means="19 of 20 background runs start sooner than this after they were submitted.",
        do="Seconds are too many: add workers, or raise RETRYSCOPE_WORKER_CONCURRENCY.",
        unit="s",
        empty="No background run started in this time range",
        unknown="no run started",
        steps={1.0: ORANGE, 10.0: RED},
        links=[traces.explore("Runs that waited", *SCOPE, f"span.{service_semconv.RUN_QUEUE_WAIT} > 1")],
    )


def failing() -> Panel:
    """Failure ratio of all chosen workflows together."""
    return number(
        "Failing now",
        current(failure_ratio_of(), "failure ratio"),
        means="Background runs that end failed or lost, over those that end and were not cancelled.",
        do="Click for the failed traces; the record of a run has its error.",
        unit="percentunit",
        empty=NO_RUNS,
        unknown="no run ended",
        steps={0.01: ORANGE, 0.05: RED},
        links=[traces.explore("Failed runs", *SCOPE, traceql.FAILED)],
    )


def lost() -> Panel:
    """Runs that were given up as lost."""
    counted = JOB.select(f"{service_semconv.RUNS.name}_total", 'workflow=~"$workflow"', 'state="lost"')
    return number(
        "Lost",
        overall(summed(total(counted)), "lost"),
        means="Background runs that were given up in this time range, after five deliveries: each time their"
        " worker died.",
        do="Read the record of such a run: what it does kills the process, by memory most often.",
        unit="short",
        steps={0.5: RED},
        links=[traces.explore("Delivered again", *SCOPE, f"span.{service_semconv.RUN_DELIVERY} > 1")],
    )


def again() -> Panel:
    """Deliveries after the first."""
    counted = WORKFLOWS.select(f"{service_semconv.RUN_REDELIVERIES.name}_total")
    return number(
        "Delivered again",
        overall(summed(total(counted)), "redeliveries"),
        means="Deliveries after the first in this time range: a worker died, or froze for longer than the"
        " redelivery time.",
        do="Outside a deploy, look why workers end: the starts drawn on the panels say when.",
        unit="short",
        steps={0.5: ORANGE},
        links=[traces.explore("Delivered again", *SCOPE, f"span.{service_semconv.RUN_DELIVERY} > 1")],
    )


def states() -> Panel:
    """Runs by the state they reach."""
    return trend(
        "Runs by state reached",
        query(summed(WORKFLOWS.counter(service_semconv.RUNS), "state"), "{{state}}"),
        means="Background runs that reach a state, a second. In a steady state as many are queued as end.",
        do="More queued than ended for long: the queue grows. lost: a run kills its worker.",
        unit=PER_SECOND,
        colours=RUN_STATES,
        links=[traces.of_series(conditions=SCOPE, title="Runs")],
    )


def failure_ratio() -> Panel:
    """Failure ratio by workflow."""
    return trend(
        "Failure ratio of runs",
        query(failure_ratio_of("workflow"), "{{workflow}}"),
        means="Background runs that ended failed or lost, over those that ended and were not cancelled.",
        do="Click for the failed traces; the record of a run has its error.",
        unit="percentunit",
        empty=NO_RUNS,
        links=[traces.of_series("workflow", conditions=(IS_RUN, traceql.FAILED), title="Failed runs")],
    )


def duration() -> Panel:
    """How long runs take, by the state they end in."""
    by = ("state",)
    return trend(
        "Duration of runs",
        query(WORKFLOWS.quantile(0.95, service_semconv.RUN_DURATION, by=by), "p95 {{state}}"),
        query(WORKFLOWS.mean(service_semconv.RUN_DURATION, by=by), "mean {{state}}"),
        means="Time from the last delivery of a run to its end, without its time in the queue.",
        do="If only failed runs are long, their retries or deadlines are; compare with the queue wait.",
        unit="s",
        empty=NO_RUNS,
        links=[traces.of_series(conditions=SCOPE, title="Runs")],
    )


def in_flight() -> Panel:
    """Runs on workers."""
    return trend(
        "Runs on workers",
        query(summed(WORKFLOWS.gauge(service_semconv.RUNS_IN_FLIGHT), "workflow"), "{{workflow}}"),
        means="Background runs that workers have in hand.",
        do="At the workers' limits, one workflow that holds all places starves the others.",
        unit="short",
        links=[traces.of_series("workflow", conditions=(IS_RUN,), title="Runs")],
    )


def queue() -> Panel:
    """Active and queued runs of the engine."""
    return trend(
        "Active and queued",
        query(largest(JOB.gauge(service_semconv.RUNS_ACTIVE)), "active"),
        query(largest(JOB.gauge(service_semconv.RUN_QUEUE_DEPTH)), "queued"),
        means="Background runs of the whole engine, queued and running, and of these the ones that wait.",
        do="A growing queue needs more workers, a sudden one a less greedy client.",
        unit="short",
        links=[traces.of_series(conditions=SCOPE, title="Runs")],
    )


def queue_wait() -> Panel:
    """How long runs wait."""
    metric = service_semconv.RUN_QUEUE_WAIT_DURATION
    return trend(
        "Queue wait",
        query(WORKFLOWS.quantile(0.5, metric), "p50"),
        query(WORKFLOWS.quantile(0.95, metric), "p95"),
        means="Time from the submission of a run to its first delivery.",
        do="p95 far from p50: bursts. Both high: too few workers.",
        unit="s",
        empty="No background run started in this time range",
        links=[traces.of_series(conditions=(*SCOPE, f"span.{service_semconv.RUN_QUEUE_WAIT} > 1"))],
    )


def queue_wait_distribution() -> Panel:
    """Distribution of the wait."""
    metric = service_semconv.RUN_QUEUE_WAIT_DURATION
    return distribution(
        "Distribution of queue waits",
        summed(WORKFLOWS.buckets(metric), "le"),
        means="Background runs that started, a second, by how long they had waited.",
        do="A second band far up is a worker that is stuck, or a burst.",
        unit="s",
        empty="No background run started in this time range",
        links=[traces.of_series(conditions=SCOPE, title="Runs")],
    )


def redeliveries() -> Panel:
    """Deliveries after the first, by why."""
    return trend(
        "Deliveries after the first",
        query(summed(WORKFLOWS.counter(service_semconv.RUN_REDELIVERIES)), "delivered again"),
        query(summed(WORKFLOWS.counter(service_semconv.RUN_JOINED_DELIVERIES)), "joined"),
        query(summed(WORKFLOWS.counter(service_semconv.RUN_RECONCILED)), "handed over again"),
        means="Runs a second that were delivered again, because their worker died or froze; that joined the"
        " run still under way in the same worker; that the engine had lost and got again.",
        do="Outside a deploy, look why workers end, and whether the redelivery time is too short. Joined"
        " ones: the worker's event loop stands still. Handed over again: Redis lost what it had accepted.",
        unit=PER_SECOND,
        links=[traces.of_series(conditions=(*SCOPE, f"span.{service_semconv.RUN_DELIVERY} > 1"))],
    )


def late_results() -> Panel:
    """Results that came too late, by workflow."""
    return trend(
        "Results that came too late",
        query(summed(WORKFLOWS.counter(service_semconv.RUN_LATE_RESULTS), "workflow"), "{{workflow}}"),
        means="Results a second of a delivery that another one had overtaken: the work was done twice.",
        do="Raise RETRYSCOPE_REDELIVERY_SECONDS above the longest freeze, and make the work idempotent.",
        unit=PER_SECOND,
        links=[traces.of_series("workflow", conditions=(f"span.{service_semconv.RUN_DELIVERY} > 1",))],
    )


def failed_traces() -> Panel:
    """The newest traces of runs that failed or were cancelled."""
    return traces.search(
        "Failed and cancelled runs",
        *SCOPE,
        traceql.FAILED_OR_CANCELLED,
        shown=(service_semconv.RUN_ID, service_semconv.RUN_DELIVERY, semconv.OUTCOME),
        means="The newest traces of background runs that failed or were cancelled, with the run's id.",
        do="Click a trace's id; GET /runs/ID has the record.",
    )
