"""What clients of the HTTP interface see."""

from grafana_foundation_sdk.builders.prometheus import Dataquery

from grafana import traces
from grafana.panel_kinds import MOST_LINES, PER_SECOND, Panel, query, trend
from grafana.promql import INSTANCES, named, worst
from retryscope import semconv
from retryscope_service.slo.promql import share, summed

DURATION = semconv.HTTP_SERVER_DURATION
FAILED = 'http_response_status_code=~"5.."'
IS_ROUTE = ("http_route",)
NO_ROUTE = ("http_route", "no such path")
STATUS = "http_response_status_code"


def failure_ratio_of(*by: str) -> str:
    """Answers of 500 and above, over all."""
    failed = summed(INSTANCES.count(DURATION, FAILED), *by)
    return share(failed, summed(INSTANCES.count(DURATION), *by))


def worst_routes(expression: str) -> Dataquery:
    """A line for each of the routes with the greatest values."""
    return query(named(worst(expression, *IS_ROUTE, most=MOST_LINES), *NO_ROUTE), "{{http_route}}")


def requests() -> Panel:
    """Requests by route."""
    return trend(
        "Requests by route",
        worst_routes(summed(INSTANCES.count(DURATION), *IS_ROUTE)),
        means="Requests a second, by route.",
        do="A route that grows alone points to one client; POST routes start work, GET routes only read.",
        unit=PER_SECOND,
        links=[traces.of_series(*IS_ROUTE)],
    )


def answers() -> Panel:
    """Answers by status."""
    return trend(
        "Answers by status",
        query(named(summed(INSTANCES.count(DURATION), STATUS), STATUS, "no answer"), f"{{{{{STATUS}}}}}"),
        means="Answers a second by status. `no answer`: the client went away before it.",
        do="429: a pool is full. 502 and 504: the workflow itself failed. 503: shutting down, or no"
        " engine. 500: a bug, with its exception in the trace.",
        unit=PER_SECOND,
        # Not of the one status: a client that went away has none, and `= ` with nothing is no TraceQL.
        links=[traces.explore("Traces of 4xx and 5xx", f"span.{semconv.HTTP_RESPONSE_STATUS_CODE} >= 400")],
    )


def failure_ratio() -> Panel:
    """Failed answers by route."""
    return trend(
        "Failed answers by route",
        worst_routes(failure_ratio_of(*IS_ROUTE)),
        means="Answers of 500 and above over all. A client that went away is none of them.",
        do="On a workflow's route these are failed workflows: see the dashboard Workflows. Elsewhere it is"
        " a bug.",
        unit="percentunit",
        links=[traces.of_series(*IS_ROUTE, conditions=("status = error",), title="Failed traces")],
    )


def duration() -> Panel:
    """p95 by route."""
    return trend(
        "p95 by route",
        worst_routes(INSTANCES.quantile(0.95, DURATION, by=IS_ROUTE)),
        means="19 of 20 requests are answered sooner. Routes of inline workflows take as long as the"
        " workflow.",
        do="If /health or /metrics get slow, the event loop is blocked: look at its lag.",
        unit="s",
        links=[traces.of_series(*IS_ROUTE)],
    )
