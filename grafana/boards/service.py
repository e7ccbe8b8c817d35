"""The service itself: HTTP, event loop, pools, telemetry, process."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds, traces, variables
from grafana.colours import ORANGE, RED
from grafana.dashboard import dashboard
from grafana.panel_kinds import PER_SECOND, Panel, current, number, query, trend
from grafana.panels import http, pools, process, telemetry
from grafana.promql import INSTANCES
from retryscope import semconv
from retryscope_service import semconv as service_semconv
from retryscope_service.slo import dashboards
from retryscope_service.slo.promql import largest, summed


def build() -> Dashboard:
    """The dashboard that alerts about a process lead to."""
    sample = service_semconv.BUILD_INFO.name
    return dashboard(
        dashboards.SERVICE,
        "Service and process",
        "Is the service up, what do its clients see, is a process or a pool full, and is telemetry lost?",
        variables=[variables.job(sample), variables.instance(sample)],
        alerts=["ServiceDown", "EventLoopLagHigh", "ConcurrencySaturated", "TelemetryDropped"],
        about=['instance=~"$instance|"'],
        rows=[
            ("Now", [up(), requests(), failures(), lag(), fullest(), youngest(), process.processes()]),
            ("HTTP", [http.requests(), http.answers(), http.failure_ratio(), http.duration()]),
            ("Saturation", [process.loop_lag(), pools.share(INSTANCES)]),
            ("Telemetry and alerts", [telemetry.losses(INSTANCES), notifications()]),
            ("Process", [process.processor(), process.memory(), process.files(), process.collections()]),
        ],
    )


def up() -> Panel:
    """Share of the targets that answer."""
    return number(
        "Processes up",
        current(f"avg({INSTANCES.select('up')})", "up"),
        means="Of the processes that Prometheus knows, the part that answers its scrapes.",
        do="Below 1 see the table below for which one; ServiceDown fires after a while.",
        unit="percentunit",
        empty="Prometheus knows no such process",
        unknown="none known",
        steps={-1.0: RED, 1.0: "green"},
    )


def requests() -> Panel:
    """Rate of requests."""
    return number(
        "Requests now",
        current(summed(INSTANCES.count(semconv.HTTP_SERVER_DURATION)), "requests"),
        means="HTTP requests a second, scrapes and health checks included.",
        do="If clients ask and this falls, they do not reach the service.",
        unit=PER_SECOND,
        links=[traces.explore("Traces", f"span.{semconv.HTTP_ROUTE} != nil")],
    )


def failures() -> Panel:
    """Share of failed answers."""
    return number(
        "Failed answers",
        current(http.failure_ratio_of(), "failed"),
        means="Answers of 500 and above over all.",
        do="See below which route it is.",
        unit="percentunit",
        steps={0.01: ORANGE, 0.05: RED},
        links=[traces.explore("Failed", f"span.{semconv.HTTP_RESPONSE_STATUS_CODE} >= 500")],
    )


def lag() -> Panel:
    """p99 of the event loop's lag."""
    return number(
        "Loop lag p99 now",
        current(largest(INSTANCES.quantile(0.99, service_semconv.EVENT_LOOP_LAG, by=("instance",))), "p99"),
        means="How late the event loop is 1 of 100 times, of the process where it is latest.",
        do="See below which process it is: something blocks its loop.",
        unit="s",
        empty="The event loop's lag was not measured in this time range",
        unknown="not measured",
        steps={0.4 * thresholds.LAG_SECONDS: ORANGE, thresholds.LAG_SECONDS: RED},
    )


def fullest() -> Panel:
    """The fullest pool."""
    return number(
        "Fullest pool now",
        current(largest(pools.used(INSTANCES)), "used"),
        means="Places taken over the limit, of the fullest pool of all processes.",
        do="See below which pool it is; at 1 it refuses or makes wait.",
        unknown="no process",
        unit="percentunit",
        steps={0.7: ORANGE, thresholds.SATURATION: RED},
    )


def youngest() -> Panel:
    """The shortest uptime."""
    started = INSTANCES.select("process_start_time_seconds")
    return number(
        "Shortest uptime",
        current(f"time() - max({started})", "uptime"),
        unknown="no process",
        curve=False,
        means="Time since a process last started.",
        do="Short without a deploy: a process ended by itself; see the starts drawn on the panels.",
        unit="s",
    )


def notifications() -> Panel:
    """Alerts that reached the service."""
    return trend(
        "Alert notifications received",
        query(summed(INSTANCES.counter(service_semconv.ALERT_NOTIFICATIONS), "status"), "{{status}}"),
        query(summed(INSTANCES.counter(service_semconv.ALERTS_IMPAIRED), "effect"), "{{effect}}"),
        means="Alerts a second that Alertmanager delivered to POST /alerts, and what did not arrive whole.",
        do="Firing alerts above and nothing here: look at Alertmanager's log, its token and its route.",
        unit=PER_SECOND,
        height=telemetry.HEIGHT,
        colours={
            "firing": RED,
            "resolved": "blue",
            "cut": "yellow",
            "refused": "orange",
            "left_out": "purple",
        },
    )
