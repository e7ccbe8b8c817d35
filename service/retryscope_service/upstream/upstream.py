"""The state of an upstream: which faults it puts in now, and whether it is about to end."""

import asyncio
from random import Random
from typing import Final

from retryscope_service.upstream.faults import Draw, Faults, draw

_NOTHING: Final = Draw()


class Upstream:
    """An upstream.

    Args:
        faults: What it does to requests at first.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self.use(faults or Faults())
        self.in_flight = 0
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def faults(self) -> Faults:
        """What it does to requests now."""
        return self._faults

    def use(self, faults: Faults) -> None:
        """From the next request on, do that; the draws of a seed begin anew."""
        self._faults = faults
        self._rng = Random(faults.seed)

    def draw(self, path: str) -> Draw:
        """What is done to the next request, to that path."""
        return draw(self._faults, self._rng) if self._faults.hold_for(path) else _NOTHING

    @property
    def stopping(self) -> bool:
        """Whether it is about to end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Let go of the requests that hang: nobody would end them."""
        self._stopping.set()

    async def hang(self, limit: float) -> None:
        """Wait for ``limit`` seconds, or until it is about to end."""
        try:
            async with asyncio.timeout(limit):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def entered(self) -> None:
        """A request has come."""
        self.in_flight += 1
        self._idle.clear()

    def left(self) -> None:
        """A request has ended."""
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    async def drain(self, limit: float) -> None:
        """Stop, and wait up to ``limit`` seconds for the requests in flight."""
        self.stop()
        try:
            async with asyncio.timeout(limit):
                await self._idle.wait()
        except TimeoutError:
            pass
