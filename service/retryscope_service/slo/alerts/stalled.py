"""Stalled: runs are in flight, and none ends."""

from collections.abc import Iterator

from retryscope import semconv
from retryscope.outcome import OUTCOMES
from retryscope_service.slo import dashboards
from retryscope_service.slo.alerts.alert import WORKFLOW, Alert
from retryscope_service.slo.alerts.counted import RUNS
from retryscope_service.slo.alerts.evaluation import Evaluation
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.promql import JOB_WORKFLOW, lines, over, summed


def stalled(definition: SloDefinition) -> Alert:
    """A workflow had runs in flight throughout the window, and none ended in it."""
    settings = definition.alerts.stalled
    window = settings.window

    def promql(compression: Compression) -> str:
        in_flight, compressed = semconv.WORKFLOWS_IN_FLIGHT.name, compression.window(window)
        least = over("min_over_time", in_flight, str(compressed))
        # A minimum is of whatever samples there are: only of a process that is there now, and was there when
        # the window began, does it say something about the whole window.
        throughout = f"{least} and {in_flight} and {in_flight} offset {compressed}"
        return lines(
            f"{summed(throughout, *JOB_WORKFLOW)} > 0", "unless", f"{RUNS.over('increase', compressed)} > 0"
        )

    def value(measured: Measured) -> Iterator[Evaluation]:
        in_flight = measured.in_flight
        runs = {group.labels["workflow"]: group for group in RUNS.groups(measured)}
        for series in filter(in_flight.was_there, in_flight.latest):
            (workflow,) = series
            least = min(in_flight.values(series))
            ended = runs[workflow].increase(window, OUTCOMES) if workflow in runs else 0.0
            yield Evaluation({"workflow": workflow}, least, 0.0, least > 0 and not ended > 0)

    return Alert(
        name="Stalled",
        settings=settings,
        subject=WORKFLOW,
        summary="{subject} does not finish any run.",
        description=f"None has ended in {window}, though {{value}} or more were in flight all the time.",
        condition=f"a workflow had runs in flight all the time, and none ended in {window}",
        unit="count",
        threshold=0.0,
        window=window,
        dashboard=dashboards.link(dashboards.WORKFLOWS, *JOB_WORKFLOW),
        promql=promql,
        value=value,
        template="{{ $value }}",
    )
