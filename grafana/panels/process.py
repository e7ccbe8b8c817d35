"""The process itself: event loop, processor, memory, files."""

from grafana import thresholds, traces
from grafana.colours import ORANGE, RED
from grafana.panel_kinds import PER_SECOND, Panel, query, trend
from grafana.promql import INSTANCES, rate
from grafana.tables import Column, rows
from retryscope_service import semconv
from retryscope_service.slo.promql import summed

BY = ("instance",)
LEGEND = "{{instance}}"


def loop_lag() -> Panel:
    """How late the event loop is."""
    lag = semconv.EVENT_LOOP_LAG
    return trend(
        "Event-loop lag",
        query(INSTANCES.quantile(0.5, lag, by=BY), f"p50 {LEGEND}"),
        query(INSTANCES.quantile(0.99, lag, by=BY), f"p99 {LEGEND}"),
        means="How much later than asked the event loop wakes a task: every timeout, backoff and answer is"
        " late by it. The dashed line is where EventLoopLagHigh fires.",
        do="Something computes or blocks on the loop: move it to a thread, or add processes.",
        unit="s",
        empty="The event loop's lag was not measured in this time range",
        lines={thresholds.LAG_SECONDS: ORANGE},
        links=[traces.explore("Slow traces", "duration > 1s")],
    )


def processor() -> Panel:
    """Processor time."""
    return trend(
        "Processor",
        query(rate(INSTANCES.select("process_cpu_seconds_total")), LEGEND),
        means="How much of one core it uses. asyncio uses one: at 100 % the process is full.",
        do="Near 100 % add processes; more threads or cores do not help this one.",
        unit="percentunit",
        lines={0.9: ORANGE},
        links=[traces.of_series()],
    )


def memory() -> Panel:
    """Resident memory."""
    return trend(
        "Memory",
        query(INSTANCES.select("process_resident_memory_bytes"), LEGEND),
        means="Memory that the process really has. Runs in flight and remembered traces need some.",
        do="A line that climbs through quiet times is a leak; lower RETRYSCOPE_MAX_TRACES or _MAX_SPANS to"
        " tell.",
        unit="bytes",
        links=[traces.of_series()],
    )


def files() -> Panel:
    """Open files over the limit."""
    opened = INSTANCES.select("process_open_fds")
    limit = INSTANCES.select("process_max_fds")
    return trend(
        "Open files",
        query(f"{opened} / ({limit} > 0)", LEGEND),
        means="Open files and sockets over the process's limit.",
        do="Above 0.8 new connections soon fail: raise the limit (ulimit -n), or look for what is not"
        " closed.",
        unit="percentunit",
        lines={0.8: RED},
        links=[traces.of_series()],
    )


def collections() -> Panel:
    """Runs of the garbage collector."""
    collected = rate(INSTANCES.select("python_gc_collections_total"))
    return trend(
        "Garbage collections",
        query(summed(collected, "generation"), "generation {{generation}}"),
        means="Runs of Python's garbage collector, a second, by generation.",
        do="Generation 2 stops the process longest: if it climbs with the loop's lag, keep fewer objects.",
        unit=PER_SECOND,
        links=[traces.of_series()],
    )


def processes() -> Panel:
    """What runs, since when."""
    started = INSTANCES.select("process_start_time_seconds")
    info = INSTANCES.gauge(semconv.BUILD_INFO)
    by = ("instance", "version", "python_version")
    age = f"(time() - {started}) * on (instance) group_left (version, python_version) {info}"
    return rows(
        "Processes",
        {"Uptime": Column(f"max by ({', '.join(by)}) ({age})", "s")},
        worst_by="Uptime",
        by={"instance": "Instance", "version": "Version", "python_version": "Python"},
        means="Every process that is scraped, what it runs, and for how long.",
        do="Different versions outside a deploy: one was left behind. A short uptime without a deploy: it"
        " ended by itself, and its last log lines say why.",
        height=5,
        empty="No process is scraped: is the service up, and does Prometheus know it?",
    )
