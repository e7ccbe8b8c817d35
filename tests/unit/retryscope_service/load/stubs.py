"""A service on the virtual clock, and a load on it."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import repeat

from retryscope_service.load.generator import LoadGenerator
from retryscope_service.load.request import Answer, Request

REQUEST = Request("retry", {})


class SlowService:
    """Answers after some time, and remembers when each request came.

    Args:
        takes: Seconds until the answer, by the loop time at which the request came.
    """

    def __init__(self, takes: Callable[[float], float] = lambda _: 0.0) -> None:
        self.came: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._takes = takes

    async def send(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        self.came.append(round(loop.time(), 9))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._takes(loop.time()))
        finally:
            self.in_flight -= 1
        return Answer(loop.time(), 200, "success")


def every(gap: float) -> Iterator[float]:
    """A request each ``gap`` seconds, from the start."""
    number = 0
    while True:
        yield number * gap
        number += 1


def load(
    service: SlowService,
    gap: float = 1.0,
    *,
    duration: float | None = 10.0,
    max_in_flight: int = 1000,
    drain_seconds: float = 10.0,
) -> LoadGenerator:
    """A generator that sends at a constant gap."""
    return LoadGenerator(
        repeat(REQUEST),
        every(gap),
        service,
        duration=duration,
        max_in_flight=max_in_flight,
        drain_seconds=drain_seconds,
    )
