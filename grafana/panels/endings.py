"""What is asked alike about everything that ends, workflows as well as operations."""

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.builders.prometheus import Dataquery

from grafana import thresholds
from grafana.colours import ORANGE, RED
from grafana.panel_kinds import Panel, distribution, query
from grafana.promql import Scope
from retryscope.names import Metric
from retryscope_service.slo.promql import COUNTED, FAILED, share, summed

FAILED_STEPS = {thresholds.BUDGET: ORANGE, 5 * thresholds.BUDGET: RED}
"""Of a failure ratio."""


def failure_ratio_of(scope: Scope, duration: Metric, *by: str) -> str:
    """Failed over counted ones."""
    failed = summed(scope.count(duration, FAILED), *by)
    return share(failed, summed(scope.count(duration, COUNTED), *by))


def percentiles(scope: Scope, duration: Metric) -> list[Dataquery]:
    """Half of them, 19 of 20 and 99 of 100 are faster."""
    return [query(scope.quantile(each, duration), f"p{each * 100:g}") for each in (0.5, 0.95, 0.99)]


def durations(what: str, scope: Scope, duration: Metric, link: DashboardLink) -> Panel:
    """How often they take how long."""
    return distribution(
        "Distribution of durations",
        summed(scope.buckets(duration), "le"),
        means=f"{what} that ended, a second, by how long they took. Separate bands are separate ways"
        " through the code: success at once, after one retry, at the limit.",
        do="Look for a band at a limit (time out) or at the sum of the delays (retries), and click a"
        " diamond in it.",
        unit="s",
        exemplar=True,
        links=[link],
    )
