"""How full the bounded pools are."""

from grafana import thresholds, traces
from grafana.colours import ORANGE
from grafana.panel_kinds import Panel, query, trend
from grafana.promql import Scope
from retryscope_service import semconv
from retryscope_service.slo.promql import largest


def used(scope: Scope) -> str:
    """Taken places over the limit, of each pool of each process."""
    return f"{scope.gauge(semconv.CONCURRENCY_IN_FLIGHT)} / ({scope.gauge(semconv.CONCURRENCY_LIMIT)} > 0)"


def share(scope: Scope) -> Panel:
    """Taken places over the limit, of the fullest process."""
    return trend(
        "Pools in use",
        query(largest(used(scope), "pool"), "{{pool}}"),
        means="Places taken over the limit, of the fullest process: inline (runs in requests), worker"
        " (background runs of a worker), engine (all background runs). The dashed line is where"
        " ConcurrencySaturated fires.",
        do="At 1 the inline and engine pools answer 429, and runs wait for the worker pool: add processes,"
        " or raise the limit if the event loop has room.",
        unit="percentunit",
        lines={thresholds.SATURATION: ORANGE},
        links=[traces.of_series()],
    )
