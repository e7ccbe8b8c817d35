"""Export of encoded spans: bounded by spans and bytes, every drop counted, the first of each reason told."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from retryscope._recording.encoded_export import FastExportProcessor
from retryscope._recording.sender import Delivery
from tests.support.polling import LIMIT, wait_until
from tests.unit.retryscope._recording.fast.spans import ended_by_the_sdk, fast, live


class Collector:
    """A sender whose answers are scripted."""

    def __init__(self, answer: Callable[[], Delivery] = Delivery) -> None:
        self.answer = answer
        self.batches: list[list[str]] = []
        self.closed = self.stopped = False

    def send(self, request: bytes) -> Delivery:
        message = ExportTraceServiceRequest.FromString(request)
        spans = [
            one.name for each in message.resource_spans for scope in each.scope_spans for one in scope.spans
        ]
        self.batches.append(spans)
        return self.answer()

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


Exporting = tuple[FastExportProcessor, dict[str, int], Callable[[int], None]]


@contextmanager
def exporting(collector: Collector, **options: int) -> Iterator[Exporting]:
    """A processor, its drops, and a function that ends spans of ours. It sends only when it is asked to."""
    drops: dict[str, int] = {}

    def count(reason: str, spans: int) -> None:
        drops[reason] = drops.get(reason, 0) + spans

    given = {"queue_size": 100, "batch_size": 50, "schedule_delay_millis": 60_000, **options}
    processor = FastExportProcessor(collector, count, **given)
    with fast() as (recorder, _, provider):
        provider.add_span_processor(processor)

        def end(spans: int) -> None:
            for _ in range(spans):
                recorder.end(recorder.start("task price", {}), {})

        try:
            yield processor, drops, end
        finally:
            processor.close(1)


def test_ended_spans_are_exported_in_batches() -> None:
    """None is lost, none is sent twice; those of others among them."""
    collector = Collector()
    with exporting(collector, batch_size=8) as (processor, drops, end):
        end(20)
        processor.on_end(ended_by_the_sdk())
        assert processor.force_flush()
        assert (max(collector.sizes), sum(collector.sizes)) == (8, 21)
        end(3)
        processor.close(1)
        processor.close(1)
        assert processor.force_flush()
    assert sum(collector.sizes) == 24
    assert [name for batch in collector.batches for name in batch].count("theirs") == 1
    assert collector.closed
    assert drops == {}


def test_a_full_batch_is_sent_at_once() -> None:
    """Before the delay is over."""
    collector = Collector()
    with exporting(collector, batch_size=8) as (processor, _, end):
        end(1)
        wait_until(lambda: processor._thread is not None, "the thread has started")
        end(7)
        wait_until(lambda: collector.sizes == [8], "the batch is sent")


@pytest.mark.parametrize("bound", [{"queue_size": 10, "batch_size": 5}, {"max_queue_bytes": 10 * 73}])
def test_a_full_queue_drops_what_comes_and_counts_it_exactly(
    bound: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    """The collector hangs: 10 spans wait, or as many bytes; one log line."""
    release = threading.Event()

    def hang() -> Delivery:
        release.wait(LIMIT)
        return Delivery()

    collector = Collector(hang)
    with exporting(collector, **bound) as (processor, drops, end):
        end(25)
        assert sum(drops.values()) == drops["queue_full"]
        assert 25 - drops["queue_full"] - sum(collector.sizes) == processor._backlog.spans
        assert processor._backlog.bytes <= 10 * 73
        release.set()
        processor.force_flush()
        end(1)
        processor.close(1)
    assert sum(collector.sizes) + drops["queue_full"] == 26
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "1 spans were dropped (queue_full)"
    ]


@pytest.mark.parametrize("how", ["refuses", "raises"])
def test_spans_that_the_collector_did_not_take_are_counted_and_logged_once_with_the_reason(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Afterwards it recovers, and so does the export."""
    caplog.set_level(logging.WARNING)

    def fail() -> Delivery:
        if how == "raises":
            raise MemoryError("large")
        return Delivery("status 503")

    collector = Collector(fail)
    with exporting(collector) as (processor, drops, end):
        for _ in range(3):
            end(7)
            processor.force_flush()
        assert drops == {"export_failed": 21}
        collector.answer = lambda: Delivery(rejected=2)
        end(5)
        processor.force_flush()
    assert drops == {"export_failed": 21, "rejected": 2}
    why = "status 503" if how == "refuses" else "MemoryError: large"
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        f"the collector has not taken a request: {why}",
        "7 spans were dropped (export_failed)",
        "2 spans were dropped (rejected)",
    ]


def test_after_the_close_spans_are_dropped_and_counted() -> None:
    """Late ones, from code that runs on."""
    collector = Collector()
    with exporting(collector) as (processor, drops, end):
        processor.shutdown()
        end(3)
        assert drops == {"already_shutdown": 3}
    assert collector.closed


def test_the_close_is_bounded_and_what_is_left_counts_as_dropped_once() -> None:
    """A collector that hangs; what it answers later changes no count."""
    release = threading.Event()

    def hang() -> Delivery:
        release.wait(LIMIT)
        return Delivery("status 500")

    collector = Collector(hang)
    with exporting(collector, batch_size=4) as (processor, drops, end):
        end(9)
        processor.close(0.05)
        assert drops == {"already_shutdown": 9}
        assert collector.stopped
        release.set()
        wait_until(lambda: collector.closed, "the collector is closed")
        assert drops == {"already_shutdown": 9}


def test_spans_that_are_not_sampled_are_neither_exported_nor_dropped() -> None:
    """Somebody decided so."""
    collector = Collector()
    with exporting(collector) as (processor, drops, _):
        provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
        provider.add_span_processor(processor)
        provider.get_tracer("test").start_span("task price").end()
        processor.on_end(ReadableSpan("no context"))
        with fast() as (recorder, _, _):
            recorded = recorder.start("task price", {})
            live(recorded).flags = 0
            processor.on_end(live(recorded))
            recorder.end(recorded, {})
        processor.close(1)
    assert (collector.batches, drops) == ([], {})


def test_a_span_that_cannot_be_encoded_is_lost_alone() -> None:
    """The SDK would lose its batch."""
    collector = Collector()
    with exporting(collector) as (processor, drops, end):
        end(1)
        odd = ended_by_the_sdk(start_time=-5)
        processor.on_end(odd)
        processor.force_flush()
    assert (collector.sizes, drops) == ([1], {"export_failed": 1})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_after_a_fork_the_queue_is_this_process_own() -> None:
    """What waited is the other process's to send, and no lock of its threads is held here."""
    collector = Collector()
    with exporting(collector, queue_size=2) as (processor, drops, end):
        end(2)
        holder = threading.Thread(target=processor._lock.acquire)
        holder.start()
        holder.join()
        processor.after_fork()
        end(1)
        assert drops == {}
        assert processor.force_flush()
    assert collector.sizes[-1:] == [1]


def test_where_no_thread_starts_any_more_it_is_flushed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter is ending."""
    collector = Collector()

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    with exporting(collector) as (processor, drops, end):
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            end(3)
            processor.close(5)
        assert collector.sizes == [3]
        assert drops == {}
        assert collector.closed


def test_threads_that_end_spans_at_once_lose_none() -> None:
    """Whatever they do to each other."""
    collector = Collector()
    with exporting(collector, queue_size=100_000, schedule_delay_millis=1) as (processor, drops, end):
        threads = [threading.Thread(target=end, args=(500,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert processor.force_flush()
    assert (sum(collector.sizes), drops) == (2000, {})
