"""Following the events of runs: one reader of the engine per run, however many clients follow it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from retryscope_service.runs.engine import EngineError
from retryscope_service.runs.state import FINAL_STATES
from retryscope_service.runs.store import RunStore

POLL_SECONDS: Final = 0.1
POLL_SECONDS_UNREACHABLE: Final = 1.0


class EventFeed:
    """Shares what is read of each run among those who follow it.

    A client that reads slowly, or not at all, waits at its own place in the list; it holds up nobody.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._channels: dict[str, _Channel] = {}

    async def follow(
        self, run_id: str, after: int, heartbeat: float
    ) -> AsyncGenerator[tuple[int, dict[str, Any]] | None]:
        """The events of a run from position ``after`` on, until its final state.

        Yields:
            Position and event; None after ``heartbeat`` seconds without one.
        """
        async with self._channel(run_id) as channel:
            position = after
            while True:
                while position < len(channel.events):
                    event = channel.events[position]
                    yield position, event
                    position += 1
                if channel.ended:
                    return
                if not await channel.changed(heartbeat):
                    yield None

    @asynccontextmanager
    async def _channel(self, run_id: str) -> AsyncIterator["_Channel"]:
        channel = self._channels.get(run_id)
        if channel is None:
            channel = self._channels[run_id] = _Channel(self._store, run_id)
        channel.followers += 1
        try:
            yield channel
        finally:
            channel.followers -= 1
            if channel.followers == 0:
                channel.close()
                self._channels.pop(run_id, None)


class _Channel:
    """What has been read of one run."""

    def __init__(self, store: RunStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._changed = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        self.followers = 0
        self.ended = False
        self._reader = asyncio.create_task(self._read(), name=f"events of {run_id}")

    async def changed(self, limit: float) -> bool:
        """Wait for more; False after ``limit`` seconds without."""
        try:
            async with asyncio.timeout(limit):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Stop reading."""
        self._reader.cancel()

    async def _read(self) -> None:
        while not self.ended:
            pause = POLL_SECONDS
            try:
                more = await self._store.events(self._run_id, len(self.events))
            except (EngineError, OSError):
                more, pause = [], POLL_SECONDS_UNREACHABLE
            if more:
                self.events.extend(more)
                self.ended = any(
                    event["event"] == "state" and event["state"] in FINAL_STATES for event in more
                )
                self._changed.set()
                self._changed = asyncio.Event()
            if not self.ended:
                await asyncio.sleep(pause)
