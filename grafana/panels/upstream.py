"""The flaky upstream: what it was asked, and what it did to those who asked."""

from grafana import traces
from grafana.colours import BLUE, DARK_RED, ORANGE, PURPLE, RED, Colours
from grafana.panel_kinds import MOST_LINES, PER_SECOND, Panel, query, trend
from grafana.panels import requests
from grafana.promql import Scope, named, worst
from retryscope_service import semconv
from retryscope_service.slo.promql import share, summed

UPSTREAM = Scope('job=~"$job|upstream"')
"""It is part of the service's process, or one of its own, which `deploy/prometheus` scrapes as that job."""
REQUESTS, DURATION = semconv.UPSTREAM_REQUESTS, semconv.UPSTREAM_REQUEST_DURATION
NO_FAULT = "no fault"
FAULTS: Colours = {
    NO_FAULT: BLUE,
    "error": RED,
    "rate_limited": "yellow",
    "unavailable": DARK_RED,
    "hang": PURPLE,
    "reset": ORANGE,
    "truncated": "light-red",
    "slow_body": "light-purple",
}
# Its own spans are another service's where it is another process: the callers' are not.
FAILED = [traces.explore("Failed requests", *requests.IN_VAIN)]
SENT = [traces.explore("Requests", requests.SENT)]


def faulty_share() -> str:
    """Requests to which something was done, over all."""
    return share(summed(UPSTREAM.counter(REQUESTS, 'fault!=""')), summed(UPSTREAM.counter(REQUESTS)))


def by_fault() -> Panel:
    """Requests by what was done to them."""
    return trend(
        "Upstream requests by fault",
        query(named(summed(UPSTREAM.counter(REQUESTS), "fault"), "fault", NO_FAULT), "{{fault}}"),
        means="Requests to the flaky upstream, a second, by the fault that was put in on purpose.",
        do="Compare with what GET /faults says; DELETE /faults ends them. More requests while faults are put"
        " in are the retries of its callers.",
        unit=PER_SECOND,
        colours=FAULTS,
        links=FAILED,
    )


def by_status() -> Panel:
    """Requests by status."""
    return trend(
        "Upstream answers by status",
        query(named(summed(UPSTREAM.counter(REQUESTS), "status"), "status", "no answer"), "{{status}}"),
        means="Answers of the flaky upstream, a second. `no answer`: a reset, a hang, or a caller that went"
        " away before it.",
        do="A 5xx without a fault is what the caller has asked for (its failure_rate); 409: the shop refuses"
        " an order.",
        unit=PER_SECOND,
        links=FAILED,
    )


def duration() -> Panel:
    """p95 by fault."""
    slow = UPSTREAM.quantile(0.95, DURATION, by=("fault",))
    return trend(
        "Upstream p95 by fault",
        query(named(slow, "fault", NO_FAULT), "{{fault}}"),
        means="19 of 20 requests to the flaky upstream end sooner there. Where our own p95 is higher, the"
        " time is lost on the way or in our event loop.",
        do="Without a fault it is the work asked for and the latency put in; a hang lasts until its caller"
        " gives up: that is the caller's limit.",
        unit="s",
        colours=FAULTS,
        links=SENT,
    )


def by_route() -> Panel:
    """Requests by route."""
    return trend(
        "Upstream requests by route",
        query(
            named(
                worst(summed(UPSTREAM.counter(REQUESTS), "route"), "route", most=MOST_LINES),
                "route",
                "no such path",
            ),
            "{{route}}",
        ),
        means="Requests to the flaky upstream, a second: /work is called by the operation http, the others"
        " by checkout.",
        do="More /payments than /prices: payments are repeated. /refunds: orders are undone.",
        unit=PER_SECOND,
        links=SENT,
    )
