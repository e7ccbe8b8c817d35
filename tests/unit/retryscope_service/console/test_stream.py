"""The stream of events: numbered, passed on to every reader, bounded for each."""

import asyncio
import json
from typing import Any

import pytest

from retryscope_service.console import stream
from retryscope_service.console.stream import StreamHub, StreamReader, TooManyReadersError

LIMIT = 10.0
"""Virtual seconds."""


async def received(reader: StreamReader) -> list[tuple[int, str, Any]]:
    """What waits for the reader, as a browser would parse it."""
    taken = await reader.take(LIMIT)
    assert taken is not None
    events = []
    for block in taken.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert set(fields) == {"id", "event", "data"}
        events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return events


async def test_a_reader_is_greeted_and_then_told_everything_once_in_order() -> None:
    """With numbers that go on from what was before it came."""
    hub = StreamHub()
    hub.publish("runs", ["before"])
    with hub.reader() as reader:
        assert await received(reader) == [(1, "hello", {"boot_id": hub.boot_id, "seq": 1})]
        hub.publish("runs", ["ä", None, 1.5])
        hub.publish("alerts", [])
        assert await received(reader) == [(2, "runs", ["ä", None, 1.5]), (3, "alerts", [])]
        assert hub.seq == 3


async def test_every_process_has_another_boot_id() -> None:
    """By it a page finds out that what it shows is of an earlier one."""
    assert len({StreamHub().boot_id for _ in range(10)}) == 10


async def test_only_who_asked_for_a_topic_gets_its_events() -> None:
    """The numbers are the same for all readers."""
    hub = StreamHub()
    with hub.reader(["a", "b"]) as of_both, hub.reader() as of_none:
        await received(of_both)
        await received(of_none)
        hub.publish("spans", 1, topic="a")
        hub.publish("spans", 2, topic="c")
        hub.publish("runs", 3)
        assert await received(of_both) == [(1, "spans", 1), (3, "runs", 3)]
        assert await received(of_none) == [(3, "runs", 3)]


async def test_without_readers_nothing_is_encoded() -> None:
    """But numbered: what JSON does not know goes unnoticed."""
    hub = StreamHub()
    hub.publish("runs", object())
    assert hub.seq == 1
    with hub.reader() as reader:
        with pytest.raises(TypeError):
            hub.publish("runs", object())
        with pytest.raises(ValueError, match="JSON"):
            hub.publish("metrics", float("nan"))
        assert [number for number, _, _ in await received(reader)] == [1]
    hub.publish("runs", object())


async def test_a_reader_that_is_too_slow_is_told_to_start_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waited is dropped, what comes after is not; the others get all."""
    monkeypatch.setattr(stream, "MAX_WAITING_EVENTS", 3)
    hub = StreamHub()
    with hub.reader() as slow, hub.reader() as quick:
        seen = await received(quick)
        for number in range(1, 5):
            hub.publish("runs", number)
            seen += await received(quick)
        assert [data for _, event, data in seen if event == "runs"] == [1, 2, 3, 4]
        assert await received(slow) == [(3, "resync", {}), (4, "runs", 4)]
        hub.publish("runs", 5)
        assert await received(slow) == [(5, "runs", 5)]


async def test_what_waits_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single event may be larger than the bound: there is no smaller way to tell it."""
    monkeypatch.setattr(stream, "MAX_WAITING_BYTES", 1000)
    hub = StreamHub()
    with hub.reader() as reader:
        await received(reader)
        hub.publish("spans", "x" * 5000)
        assert [event for _, event, _ in await received(reader)] == ["spans"]
        hub.publish("spans", "x" * 500)
        hub.publish("spans", "y" * 600)
        assert [event for _, event, _ in await received(reader)] == ["resync"]
        hub.publish("runs", "x" * 400)
        hub.publish("spans", "x" * 400)
        assert [event for _, event, _ in await received(reader)] == ["runs", "spans"]


async def test_nothing_for_a_while_is_no_end() -> None:
    """The reader may show that it is still there."""
    hub = StreamHub()
    loop = asyncio.get_running_loop()
    with hub.reader() as reader:
        await received(reader)
        assert await reader.take(LIMIT) == b""
        assert loop.time() == pytest.approx(LIMIT)
        loop.call_later(1, hub.publish, "runs", [])
        assert [event for _, event, _ in await received(reader)] == ["runs"]
        assert loop.time() == pytest.approx(LIMIT + 1)


async def test_closing_ends_every_reader_after_what_waits() -> None:
    """Those who come later too."""
    hub = StreamHub()
    loop = asyncio.get_running_loop()
    with hub.reader() as reader, hub.reader() as waiting:
        await received(waiting)
        loop.call_later(1, hub.close)
        assert await waiting.take(LIMIT) is None
        assert loop.time() == pytest.approx(1)
        assert [event for _, event, _ in await received(reader)] == ["hello"]
        assert await reader.take(LIMIT) is None
        assert await reader.take(LIMIT) is None
    with hub.reader() as late:
        assert [event for _, event, _ in await received(late)] == ["hello"]
        assert await late.take(LIMIT) is None


async def test_there_may_be_only_so_many_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs memory; one that leaves makes room."""
    monkeypatch.setattr(stream, "MAX_READERS", 2)
    hub = StreamHub()
    with hub.reader():
        with hub.reader(), pytest.raises(TooManyReadersError, match="2 read"), hub.reader():
            pass
        with hub.reader():
            pass
