"""What the service depends on: servers that it calls, the flaky upstream, orders, threads."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import traces, variables
from grafana.colours import BLUE, ORANGE, RED
from grafana.dashboard import dashboard
from grafana.panel_kinds import PER_SECOND, Panel, current, number, overall, query, trend
from grafana.panels import requests, upstream
from grafana.promql import JOB, total
from retryscope import semconv
from retryscope_service import semconv as service_semconv
from retryscope_service.slo import dashboards
from retryscope_service.slo.promql import share, summed

CHECKOUTS = f'span.{semconv.WORKFLOW} = "checkout"'
COMPENSATIONS = (CHECKOUTS, f'span.{semconv.OPERATION} = "compensate"')
CANCELLED = f'span.{semconv.OUTCOME} = "cancelled"'


def build() -> Dashboard:
    """Where to look when operations fail, and it may be what they call."""
    return dashboard(
        dashboards.DEPENDENCIES,
        "Dependencies",
        "Is it what we call that fails, which server, and how? What does the flaky upstream do on purpose,"
        " and is what was begun settled or undone?",
        variables=[variables.job(service_semconv.BUILD_INFO.name)],
        alerts=["OperationFailureRatioHigh", "RetryStorm"],
        rows=[
            ("Now", [sent(), failed(), slowest(), faulty(), compensated(), abandoned()]),
            (
                "Requests that we send",
                [
                    requests.sent(),
                    requests.failed(),
                    requests.duration(),
                    requests.errors(),
                    requests.durations(),
                ],
            ),
            (
                "The flaky upstream",
                [upstream.by_fault(), upstream.by_status(), upstream.duration(), upstream.by_route()],
            ),
            ("What is left behind", [orders(), threads()]),
            ("Traces", [failed_requests()]),
        ],
    )


def sent() -> Panel:
    """Rate of requests."""
    return number(
        "Requests sent",
        current(summed(JOB.count(requests.DURATION)), "requests"),
        means="Requests that our HTTP client sends a second, to all servers together.",
        do="See below for which server they are.",
        unit=PER_SECOND,
        links=[traces.explore("Requests", requests.SENT)],
    )


def failed() -> Panel:
    """Share of failed requests."""
    return number(
        "Failed requests",
        current(requests.failed_share_of(), "failed"),
        means="Requests without an answer, or with one of 400 and above, over all. A retry may have repaired"
        " what they were for.",
        do="See below which server it is, and with which error.",
        unit="percentunit",
        steps={0.05: ORANGE, 0.2: RED},
        links=[traces.explore("Failed requests", *requests.IN_VAIN)],
    )


def slowest() -> Panel:
    """p95 of requests."""
    return number(
        "Request p95 now",
        current(JOB.quantile(0.95, requests.DURATION), "p95"),
        means="19 of 20 requests have the head of their answer, or have failed, sooner.",
        do="See below which server is slow.",
        unit="s",
        links=[traces.explore("Requests", requests.SENT)],
    )


def faulty() -> Panel:
    """Share of the upstream's requests with a fault."""
    return number(
        "Faults put in",
        current(upstream.faulty_share(), "faulty"),
        means="Requests to the flaky upstream to which something was done on purpose, over all.",
        do="Above 0 failures are wanted: GET /faults of the upstream says which, and docs/upstream.md how to"
        " end them.",
        unit="percentunit",
        links=upstream.FAILED,
    )


def compensated() -> Panel:
    """Share of orders that were undone."""
    ended = service_semconv.ORDERS
    return number(
        "Orders undone",
        current(
            share(summed(JOB.counter(ended, 'state="compensated"')), summed(JOB.counter(ended))), "undone"
        ),
        means="Orders of checkout that were compensated, over all that ended: what had been done was taken"
        " back.",
        do="Open the traces: the error of the order is above its compensation.",
        unit="percentunit",
        empty="Nothing was ordered in this time range",
        unknown="no orders",
        steps={0.1: ORANGE, 0.5: RED},
        links=[traces.explore("Compensations", *COMPENSATIONS)],
    )


def abandoned() -> Panel:
    """Threads that did not stop."""
    return number(
        "Deaf threads",
        overall(summed(total(JOB.select(f"{service_semconv.THREADS_ABANDONED.name}_total"))), "threads"),
        means="Threads in this time range that went on when the run that awaited them was cancelled. Each"
        " takes a place among 64 until its work ends.",
        do="Have the work look whether it is to stop; when all places are taken, files are not read any"
        " more.",
        unit="short",
        empty="No process is scraped",
        unknown="not known",
        steps={0.5: ORANGE},
        links=[traces.explore("Cancelled", CANCELLED)],
    )


def orders() -> Panel:
    """Orders by how they ended."""
    return trend(
        "Orders by how they ended",
        query(summed(JOB.counter(service_semconv.ORDERS), "state"), "{{state}}"),
        means="Orders of checkout a second: settled, or compensated because something failed or somebody"
        " cancelled.",
        do="Fewer ends than checkouts: some are still open, and a recovery takes them when their lease is"
        " over.",
        unit=PER_SECOND,
        empty="Nothing was ordered in this time range",
        colours={"settled": BLUE, "compensated": ORANGE},
        links=[traces.explore("Checkouts", CHECKOUTS)],
    )


def threads() -> Panel:
    """Threads that did not stop, over time."""
    return trend(
        "Threads abandoned",
        query(summed(JOB.counter(service_semconv.THREADS_ABANDONED), "instance"), "{{instance}}"),
        means="Threads that went on after a cancel, a second, by process.",
        do="The log of that process names how many places they take; a restart is what frees them for"
        " certain.",
        unit=PER_SECOND,
        empty="No process is scraped",
        links=[traces.explore("Cancelled", CANCELLED)],
    )


def failed_requests() -> Panel:
    """The newest traces of requests that failed."""
    return traces.search(
        "Requests that failed",
        *requests.IN_VAIN,
        shown=(semconv.SERVER_ADDRESS, semconv.HTTP_RESPONSE_STATUS_CODE, semconv.ERROR_TYPE),
        means="The newest traces in which a request of ours had no answer, or one of 400 and above.",
        do="Click a trace's id: the attempt around it says whether another one followed, and how it ended.",
    )
