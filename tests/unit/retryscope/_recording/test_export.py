"""Export that never disturbs: bounded, every drop counted, the first one logged."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from retryscope._recording.export import ExportProcessor
from tests.support.polling import LIMIT, wait_until


class Collector(SpanExporter):
    """An exporter whose answers are scripted."""

    def __init__(self, answer: Callable[[], SpanExportResult] = lambda: SpanExportResult.SUCCESS) -> None:
        self.answer = answer
        self.batches: list[int] = []
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches.append(len(spans))
        return self.answer()

    def shutdown(self) -> None:
        self.closed = True

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class Drops:
    def __init__(self) -> None:
        self.counted: dict[str, int] = {}

    def __call__(self, reason: str, spans: int) -> None:
        self.counted[reason] = self.counted.get(reason, 0) + spans


@contextmanager
def exporting(
    exporter: SpanExporter, *, queue_size: int = 100, batch_size: int = 50
) -> Iterator[tuple[ExportProcessor, Drops, Callable[[int], None]]]:
    """A processor, its drops, and a function that ends spans. It sends only when it is asked to."""
    drops = Drops()
    processor = ExportProcessor(
        exporter, drops, queue_size=queue_size, batch_size=batch_size, schedule_delay_millis=60_000
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")

    def end(spans: int) -> None:
        for _ in range(spans):
            tracer.start_span("task price").end()

    try:
        yield processor, drops, end
    finally:
        processor.close(1)


def test_ended_spans_are_exported_in_batches() -> None:
    """None is lost, none is sent twice."""
    collector = Collector()
    with exporting(collector) as (processor, drops, end):
        end(30)
        assert processor.force_flush()
        assert collector.batches == [30]
        end(20)
        processor.close(1)
        processor.close(1)
    assert collector.batches == [30, 20]
    assert collector.closed
    assert drops.counted == {}


def test_a_batch_has_at_most_its_size() -> None:
    """Requests stay small."""
    collector = Collector()
    with exporting(collector, batch_size=8) as (processor, drops, end):
        end(20)
        processor.force_flush()
    assert max(collector.batches) <= 8
    assert sum(collector.batches) == 20
    assert drops.counted == {}


def test_a_full_queue_drops_what_comes_and_counts_it_exactly(caplog: pytest.LogCaptureFixture) -> None:
    """The collector hangs: 10 spans wait, the other 15 are dropped and counted; one log line."""
    release = threading.Event()

    def hang() -> SpanExportResult:
        release.wait(LIMIT)
        return SpanExportResult.SUCCESS

    collector = Collector(hang)
    with exporting(collector, queue_size=10, batch_size=5) as (processor, drops, end):
        end(25)
        assert drops.counted == {"queue_full": 15}
        release.set()
        processor.force_flush()
        end(1)
        processor.close(1)
    assert sum(collector.batches) == 11
    assert drops.counted == {"queue_full": 15}
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            (
                "1 spans were dropped (queue_full); further drops are only counted, in"
                " resilience_telemetry_dropped_spans_total"
            ),
        )
    ]


@pytest.mark.parametrize("how", ["refuses", "raises"])
def test_spans_that_the_collector_did_not_take_are_counted_and_logged_once(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An exporter that fails or raises; afterwards it recovers, and so does the export."""
    caplog.set_level(logging.WARNING)

    def fail() -> SpanExportResult:
        if how == "raises":
            raise ConnectionError("refused")
        return SpanExportResult.FAILURE

    collector = Collector(fail)
    with exporting(collector) as (processor, drops, end):
        for _ in range(3):
            end(7)
            processor.force_flush()
        assert drops.counted == {"export_failed": 21}
        assert len(caplog.records) == 1
        collector.answer = lambda: SpanExportResult.SUCCESS
        end(5)
        processor.force_flush()
    assert drops.counted == {"export_failed": 21}
    assert sum(collector.batches) == 26


def test_after_the_close_spans_are_dropped_and_counted() -> None:
    """Late ones, from code that runs on."""
    with exporting(Collector()) as (processor, drops, end):
        processor.shutdown()
        end(3)
        assert drops.counted == {"already_shutdown": 3}


def test_the_close_is_bounded_and_what_is_left_counts_as_dropped_once() -> None:
    """A collector that hangs; what it answers later changes no count.

    Had the close waited for its answer, the spans would count as refused.
    """
    release = threading.Event()

    def hang() -> SpanExportResult:
        release.wait(LIMIT)
        return SpanExportResult.FAILURE

    collector = Collector(hang)
    with exporting(collector, batch_size=4) as (processor, drops, end):
        end(9)
        processor.close(0.05)
        assert drops.counted == {"already_shutdown": 9}
        release.set()
        wait_until(lambda: collector.closed, "the collector is closed")
        assert drops.counted == {"already_shutdown": 9}


def test_spans_that_are_not_sampled_are_neither_exported_nor_dropped() -> None:
    """Somebody decided so."""
    collector, drops = Collector(), Drops()
    processor = ExportProcessor(collector, drops)
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    provider.get_tracer("test").start_span("task price").end()
    processor.on_end(ReadableSpan("no context"))
    processor.close(1)
    assert (collector.batches, drops.counted) == ([], {})


def test_after_a_fork_the_queue_is_this_process_own() -> None:
    """What waited is the other process's to send, and no lock of its threads is held here."""
    with exporting(Collector(), queue_size=2) as (processor, drops, end):
        end(2)
        processor._lock.acquire()
        processor.after_fork()
        end(1)
        assert drops.counted == {}


def test_where_no_thread_starts_any_more_it_is_flushed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter is ending."""
    collector = Collector()
    with exporting(collector) as (processor, drops, end):
        end(3)

        def start(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread at interpreter shutdown")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            processor.close(5)
        assert collector.batches == [3]
        assert drops.counted == {}
