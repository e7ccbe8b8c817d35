"""What has to be looked after now and then: forgotten hand-overs, lost cancels, old records, gauges."""

import asyncio
import logging
from typing import Final

from service.runs.background import BackgroundRuns
from service.runs.engine import EngineError
from service.runs.metrics import RunMetrics
from service.runs.store import RunStore
from service.runs.worker import RunWorker

EVERY_SECONDS: Final = 1.0

_log = logging.getLogger("service")


async def keep_house(
    runs: BackgroundRuns,
    store: RunStore,
    worker: RunWorker | None,
    metrics: RunMetrics,
    *,
    retention: float,
    max_finished: int,
) -> None:
    """Look after the runs again and again, until cancelled; an engine that is away is waited for."""
    reachable = True
    while True:
        try:
            metrics.counted(*await store.counts())
            await runs.reconcile()
            if worker is not None:
                await worker.carry_out_cancels()
            await store.forget(older_than=retention, keep=max_finished)
            if not reachable:
                _log.info("the engine of background runs is back")
            reachable = True
        except (EngineError, OSError) as error:
            if reachable:
                _log.warning("the engine of background runs can't be reached: %s", error)
            reachable = False
        await asyncio.sleep(EVERY_SECONDS)
