"""The one span processor of the page: everything is told in order, and nobody who records waits."""

import threading
from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan

from retryscope_service.traces import span_feed
from retryscope_service.traces.span_feed import SpanFeed
from tests.unit.retryscope_service.traces.spans import start, tracer_into


class Told:
    """Who is told, with what."""

    def __init__(self, feed: SpanFeed, on_start: Callable[[str], None] = lambda _: None) -> None:
        self.log: list[str] = []
        self.ids: list[tuple[int, ...]] = []
        self._on_start = on_start
        feed.add(self)

    def started(self, span: ReadableSpan, trace_id: int, span_id: int, parent_id: int) -> None:
        self.log.append(f"+{span.name}")
        self.ids.append((trace_id, span_id, parent_id))
        self._on_start(span.name)

    def ended(self, span: ReadableSpan, trace_id: int, span_id: int) -> None:
        self.log.append(f"-{span.name}")


def test_each_start_and_each_end_is_told_in_order_when_somebody_asks() -> None:
    feed = SpanFeed()
    told = Told(feed)
    tracer = tracer_into(feed)
    root = start(tracer, "root")
    child = start(tracer, "child", root)
    child.end()
    assert told.log == []
    with feed.settled():
        assert told.log == ["+root", "+child", "-child"]
    root.end()
    with feed.settled():
        assert told.log[3:] == ["-root"]
    above, below = root.get_span_context(), child.get_span_context()
    assert told.ids == [
        (above.trace_id, above.span_id, 0),
        (below.trace_id, below.span_id, above.span_id),
    ]


def test_what_waits_is_bounded_where_nobody_asks() -> None:
    feed = SpanFeed()
    told = Told(feed)
    tracer = tracer_into(feed)
    for _ in range(10 * span_feed.BATCH):
        start(tracer, "span").end()
    assert 20 * span_feed.BATCH - len(told.log) < span_feed.BATCH


def test_who_records_does_not_wait_for_who_reads() -> None:
    """Neither on another thread nor on its own, where the garbage collector may end spans at any time."""
    feed = SpanFeed()
    told = Told(feed)
    tracer = tracer_into(feed)

    def record() -> None:
        for _ in range(span_feed.BATCH):
            start(tracer, "span").end()

    with feed.settled():
        record()
        other = threading.Thread(target=record)
        other.start()
        other.join()
        assert told.log == []
    start(tracer, "last")
    assert len(told.log) == 4 * span_feed.BATCH + 1


def test_a_span_that_starts_while_another_is_told_of_is_told_of_after_it() -> None:
    feed = SpanFeed()
    tracer = tracer_into(feed)

    def once_more(name: str) -> None:
        if len(name) < 3:
            start(tracer, name + "'")

    told = Told(feed, once_more)
    start(tracer, "a")
    start(tracer, "b")
    for _ in range(3):
        with feed.settled():
            pass
    assert told.log == ["+a", "+b", "+a'", "+b'", "+a''", "+b''"]


def test_all_are_told_the_same_from_when_they_are_added() -> None:
    feed = SpanFeed()
    tracer = tracer_into(feed)
    first = Told(feed)
    start(tracer, "a")
    second = Told(feed)
    start(tracer, "b").end()
    with feed.settled():
        assert (first.log, second.log) == (["+a", "+b", "-b"], ["+b", "-b"])


def test_four_threads_lose_nothing() -> None:
    """Of each span the end comes after the start."""
    feed = SpanFeed()
    told = Told(feed)
    tracer = tracer_into(feed)

    def record(number: int) -> None:
        for each in range(500):
            start(tracer, f"{number} {each}").end()

    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with feed.settled():
        pass
    names = [entry[1:] for entry in told.log if entry[0] == "+"]
    assert sorted(names) == sorted(entry[1:] for entry in told.log if entry[0] == "-")
    assert len(set(names)) == len(names) == 2000
    assert all(told.log.index(f"+{name}") < told.log.index(f"-{name}") for name in names[::50])
