"""What a service's own HTTP client sends, and what comes back."""

from grafana_foundation_sdk.builders.prometheus import Dataquery

from grafana import traces
from grafana.panel_kinds import MOST_LINES, PER_SECOND, Panel, distribution, query, trend
from grafana.promql import JOB, worst
from retryscope import semconv
from retryscope_service.slo.promql import share, summed

DURATION = semconv.HTTP_CLIENT_DURATION
FAILED = 'error_type!=""'
"""Of a request that was cancelled it is empty: nobody has waited for its answer."""
SERVER = ("server_address", "server_port")
SENT = f"span.{semconv.URL_FULL} != nil"
"""The TraceQL condition that a span is of such a request: a server's has no whole URL."""
IN_VAIN = (SENT, f"span.{semconv.ERROR_TYPE} != nil")


def failed_share_of(*by: str) -> str:
    """Requests that failed, over all."""
    return share(summed(JOB.count(DURATION, FAILED), *by), summed(JOB.count(DURATION), *by))


def worst_servers(expression: str) -> Dataquery:
    """A line for each of the servers with the greatest values."""
    return query(worst(expression, *SERVER, most=MOST_LINES), "{{server_address}}:{{server_port}}")


def sent() -> Panel:
    """Requests by server."""
    return trend(
        "Requests by server",
        worst_servers(summed(JOB.count(DURATION), *SERVER)),
        means="Requests that our client sends, a second, by the server that they are for. Each attempt of a"
        " retry is one, and each hop of a redirect.",
        do="More than the work explains: retries, see the dashboard Retries and backoff.",
        unit=PER_SECOND,
        links=[traces.of_series(SERVER[0], conditions=(SENT,))],
    )


def failed() -> Panel:
    """Share of failed requests by server."""
    return trend(
        "Failed requests by server",
        worst_servers(failed_share_of(*SERVER)),
        means="Requests without an answer, or with one of 400 and above, over all; one that we cancel is"
        " no failure.",
        do="One server alone: it is down, or does not like what we send. All at once: our network, or our"
        " event loop.",
        unit="percentunit",
        links=[traces.of_series(SERVER[0], conditions=IN_VAIN, title="Failed requests")],
    )


def errors() -> Panel:
    """Failed requests by error."""
    failures = summed(JOB.count(DURATION, FAILED), "error_type")
    return trend(
        "Errors of requests",
        query(worst(failures, "error_type", most=MOST_LINES), "{{error_type}}"),
        means="Failed requests a second by what went wrong: a status of 400 and above, or the exception that"
        " came instead of an answer.",
        do="429 and 503: we ask too much, or too soon again. TimeoutError: slower than our limit. 4xx: our"
        " own fault, and no retry mends it.",
        unit=PER_SECOND,
        empty="Nothing was sent in vain in this time range",
        links=[traces.of_series("error_type", conditions=(SENT,), title="Failed requests")],
    )


def duration() -> Panel:
    """p95 by server."""
    return trend(
        "Request p95 by server",
        worst_servers(JOB.quantile(0.95, DURATION, by=SERVER)),
        means="19 of 20 requests have the head of their answer, or have failed, sooner. What the body takes"
        " is not in it.",
        do="Near the limit of an attempt it is cut off by that: the server is slow, and retries make it"
        " slower.",
        unit="s",
        links=[traces.of_series(SERVER[0], conditions=(SENT,))],
    )


def durations() -> Panel:
    """How many take how long."""
    return distribution(
        "Distribution of requests",
        summed(JOB.buckets(DURATION), "le"),
        means="Requests sent, a second, by how long they took; diamonds are failed ones. Separate bands are"
        " separate fates: an answer at once, a slow one, a limit.",
        do="Click a diamond for the trace: which attempt of which operation it was, and what followed.",
        unit="s",
        width=24,
        exemplar=True,
        links=[traces.explore("Failed requests", *IN_VAIN)],
    )
