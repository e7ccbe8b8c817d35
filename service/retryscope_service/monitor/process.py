"""What a process says about itself: whether its event loop keeps up, how full its pools are, what it runs."""

import asyncio
import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Final, Literal

from prometheus_client import CollectorRegistry

from retryscope.families import gauge, histogram
from retryscope_service import semconv

LAG_INTERVAL: Final = 0.1
"""Seconds between two looks at the event loop: whatever holds it up for longer is seen, and ten looks a
second cost about 0.2 % of a CPU."""

Pool = Literal["inline", "worker", "engine"]


class ProcessMetrics:
    """The metrics of the process itself; made once for each registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = histogram(semconv.EVENT_LOOP_LAG, registry)
        self._in_flight = gauge(semconv.CONCURRENCY_IN_FLIGHT, registry)
        self._limit = gauge(semconv.CONCURRENCY_LIMIT, registry)
        info = gauge(semconv.BUILD_INFO, registry)
        info.labels(version("retryscope"), platform.python_version()).set(1)

    def add_pool(self, pool: Pool, in_flight: Callable[[], float], limit: int) -> None:
        """Show a bounded pool of this process; ``in_flight`` is called by each scrape."""
        self._in_flight.labels(pool).set_function(in_flight)
        self._limit.labels(pool).set(limit)

    async def watch_loop(self) -> None:
        """Observe again and again how late the event loop wakes a task, until cancelled.

        The times to wake at are fixed in advance. A loop that stood still for 5 s is late for the 50 of
        them that fell due meanwhile, so that a percentile tells how much of the time it was how late.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += LAG_INTERVAL
            await asyncio.sleep(due - loop.time())
            now = loop.time()
            self._lag.observe(max(0.0, now - due))
            while due + LAG_INTERVAL <= now:  # all at once: one at a time, a busy loop would never catch up
                due += LAG_INTERVAL
                self._lag.observe(now - due)
