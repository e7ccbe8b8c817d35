"""A worker of bare docket tasks, in a process of its own: ``python -m benchmarks.bare_worker URL``.

The service's own :class:`Engine`, so that docket has the same settings, but the task is an empty function and
nothing else lives in the process: no records, no telemetry, no HTTP. It runs until it is killed.
"""

import asyncio
import os
import sys

from retryscope_service.runs.engine import Delivery, Engine
from retryscope_service.settings import Settings


async def _nothing(delivery: Delivery) -> bool:  # noqa: ARG001
    """The bare task."""
    return True


async def _work(url: str) -> None:
    settings = Settings()
    concurrency = settings.worker_concurrency
    engine = Engine(
        url, connections=3 * concurrency + 200, redelivery_seconds=settings.redelivery_seconds
    )  # as service.process does
    async with engine:
        engine.register(_nothing)
        async with engine.working(f"bare#{os.getpid()}", concurrency):
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1]))
