"""The stream of events fed by several threads: work on threads is traced too."""

import asyncio
import json
import threading

from retryscope_service.console.stream import StreamHub

REAL_LOOP = True


async def test_what_threads_publish_arrives_complete_and_in_order() -> None:
    """Each number once, ascending, while the reader reads."""
    hub = StreamHub()
    numbers: list[int] = []
    data: list[list[int]] = []

    def publish(thread: int) -> None:
        for number in range(100):
            hub.publish("runs", [thread, number])

    with hub.reader() as reader:
        threads = [threading.Thread(target=publish, args=(thread,)) for thread in range(4)]
        for each in threads:
            each.start()
        while len(numbers) < 401:
            taken = await reader.take(60)
            assert taken
            lines = taken.decode().splitlines()
            numbers += [int(line[4:]) for line in lines if line.startswith("id: ")]
            data += [json.loads(line[6:]) for line in lines if line.startswith("data: [")]
        for each in threads:
            each.join()
    assert numbers == list(range(401))
    for thread in range(4):
        assert [number for by, number in data if by == thread] == list(range(100))


async def test_a_thread_wakes_a_reader_that_waits() -> None:
    """And one that closes the stream ends it."""
    hub = StreamHub()
    with hub.reader() as reader:
        await reader.take(60)
        waiting = asyncio.create_task(reader.take(60))
        await asyncio.sleep(0)
        await asyncio.to_thread(hub.publish, "runs", [])
        assert await waiting == b"id: 1\nevent: runs\ndata: []\n\n"
        waiting = asyncio.create_task(reader.take(60))
        await asyncio.sleep(0)
        await asyncio.to_thread(hub.close)
        assert await waiting is None
