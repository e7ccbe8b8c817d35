"""A collector that is absent, refuses, dawdles or hangs: no workflow notices, and every drop is counted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from retryscope import semconv
from tests.integration.conftest import StartService
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver, reserved_port
from tests.support.polling import wait_until
from tests.support.process import Service

DROPPED = f"{semconv.DROPPED_SPANS.name}_total"
SERVER = "POST /workflows/{workflow}"
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"

QUICK_EXPORT = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5"}
"""Batches leave soon, and are given up after half a second instead of ten."""

FAULTS = ("absent", "refusing", "hanging")
FOREVER = "3600"


@contextmanager
def faulty_collector(fault: str) -> Iterator[str]:
    """Where a collector with this fault is."""
    if fault == "absent":
        with reserved_port() as port:
            yield f"http://127.0.0.1:{port}"
        return
    with otlp_receiver() as receiver:
        if fault == "refusing":
            receiver.status = 503
        else:
            receiver.hang()
        yield receiver.url


@pytest.mark.parametrize("fault", FAULTS)
def test_workflows_end_as_without_a_collector(start_service: StartService, fault: str) -> None:
    """While the export of their first spans is still being tried: whoever waited for it would for minutes."""
    with faulty_collector(fault) as url:
        service = start_service(
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_TIMEOUT=FOREVER,
            OTEL_BSP_SCHEDULE_DELAY="10",
            RETRYSCOPE_LOG_LEVEL="ERROR",
            RETRYSCOPE_FLUSH_SECONDS="0.1",
        )
        params = {"duration": 0.01, "base_delay": 0.01, "failure_rate": 1, "max_retries": 2}
        for _ in range(3):
            calls = [service.start_run("retry", **params) for _ in range(30)]
            assert {call.answer().body["outcome"] for call in calls} == {"exhausted"}
        assert service.metric(DROPPED) == 0
        service.stop()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_delivered_is_counted_and_logged_once(start_service: StartService, fault: str) -> None:
    with faulty_collector(fault) as url:
        service = start_service(
            OTEL_EXPORTER_OTLP_ENDPOINT=url, RETRYSCOPE_FLUSH_SECONDS="0.1", **QUICK_EXPORT
        )
        for spans in (5, 10, 15):
            run(service)
            wait_until(lambda: service.metric(DROPPED) == spans, f"{spans} spans are dropped")  # noqa: B023
        assert service.metric(DROPPED, reason="export_failed") == 15
        service.stop()
    (warning,) = (message for message in service.messages("WARNING") if "were dropped" in message)
    assert re.fullmatch(
        r"\d spans were dropped \(export_failed\); further drops are only counted, in"
        " resilience_telemetry_dropped_spans_total",
        warning,
    )
    exporter = [line["message"] for line in service.logs if line["logger"] == EXPORTER]
    starts = [message.split(" batch")[0] for message in exporter]
    assert len(set(starts)) == len(starts) <= 2, exporter
    assert {line["logger"] for line in service.logs if line["level"] in {"WARNING", "ERROR"}} <= {
        "retryscope",
        EXPORTER,
    }


def test_the_queue_bounds_what_waits_for_a_hanging_collector(start_service: StartService) -> None:
    """The rest is dropped and counted exactly; neither queue nor process grows with further spans."""
    queue, batches, spans_per_run = 200, 3, 102  # server, workflow, 100 tasks
    with faulty_collector("hanging") as url:
        service = start_service(
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_TIMEOUT=FOREVER,
            OTEL_BSP_MAX_QUEUE_SIZE=str(queue),
            RETRYSCOPE_MAX_SPANS="1000",
            RETRYSCOPE_FLUSH_SECONDS="0.1",
        )
        runs = 0

        def grow(number: int) -> float:
            nonlocal runs
            for _ in range(number):
                assert service.run("sequential", tasks=100, duration=0, failure_rate=0).status == 200
            runs += number
            assert service.metric(DROPPED, reason="queue_full") == runs * spans_per_run - queue
            return service.metric("process_resident_memory_bytes")

        sizes = [grow(60) for _ in range(batches)]
        # 6,120 spans kept would be more than 15 MB.
        assert min(sizes[1:]) - sizes[0] < 8e6, sizes
        assert service.metric(DROPPED) == service.metric(DROPPED, reason="queue_full")
        service.stop()
    dropped = [message for message in service.messages("WARNING") if "dropped" in message]
    assert [message.partition(";")[0] for message in dropped] == [
        "1 spans were dropped (queue_full)",
        f"{queue} spans were dropped (already_shutdown)",
    ]


def run(service: Service) -> str:
    """Run something with 5 spans: server, workflow, three timeouts; returns its trace id."""
    trace_id: str = service.run("timeouts", time_scale=0.0001).body["trace_id"]
    return trace_id


def lose_spans(service: Service) -> None:
    """Run until spans are lost."""
    run(service)
    wait_until(lambda: service.metric(DROPPED, reason="export_failed") >= 5, "spans are dropped")


def expect_spans(service: Service, receiver: OtlpReceiver) -> None:
    """Run until a whole trace is exported: on a busy machine a batch may still be given up too early."""
    started: list[str] = []

    def arrived() -> bool:
        started.append(run(service))
        return any(len(receiver.trace(trace_id)) == 5 for trace_id in started)

    wait_until(arrived, "a trace is exported")


def test_export_begins_when_an_absent_collector_appears(start_service: StartService) -> None:
    with reserved_port() as port:
        service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", **QUICK_EXPORT)
        lose_spans(service)
        with otlp_receiver(port) as receiver:
            expect_spans(service, receiver)
            service.stop()


@pytest.mark.parametrize("fault", ["refusing", "hanging"])
def test_export_goes_on_when_the_collector_recovers(
    collector: OtlpReceiver, start_service: StartService, fault: str
) -> None:
    service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **QUICK_EXPORT)
    expect_spans(service, collector)
    if fault == "refusing":
        collector.status = 503
    else:
        collector.hang()
    lose_spans(service)
    collector.status = 200
    collector.go_on()
    expect_spans(service, collector)


def test_export_survives_a_restart_of_the_collector(start_service: StartService) -> None:
    """Connections that were kept open are replaced without a loss."""
    with reserved_port() as port:
        with otlp_receiver(port) as receiver:
            service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
            receiver.wait_for(SERVER, run(service))
        with otlp_receiver(port) as receiver:
            receiver.wait_for(SERVER, run(service))
            service.stop()
    assert service.messages("WARNING") == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_shutdown_waits_no_longer_than_it_may(start_service: StartService, fault: str) -> None:
    """What is lost is counted, logged, no failure of the service; the exporter would try on for an hour."""
    with faulty_collector(fault) as url:
        service = start_service(
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_TIMEOUT=FOREVER,
            OTEL_BSP_SCHEDULE_DELAY="60000",
            RETRYSCOPE_FLUSH_SECONDS="0.5",
        )
        run(service)
        service.stop()
    (warning,) = (message for message in service.messages("WARNING") if "were dropped" in message)
    assert warning.startswith("5 spans were dropped (already_shutdown)")
    assert service.logs[-1]["message"] == "shut down"


def test_a_shutdown_gives_a_slow_collector_its_time(
    collector: OtlpReceiver, start_service: StartService
) -> None:
    collector.delay = 0.3
    service = start_service(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="60000",
        RETRYSCOPE_FLUSH_SECONDS="60",
    )
    trace_id = run(service)
    service.stop()
    assert len(collector.trace(trace_id)) == 5
    assert service.messages("WARNING") == []
