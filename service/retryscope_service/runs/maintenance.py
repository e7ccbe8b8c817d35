"""What has to be looked after now and then: forgotten hand-overs, lost cancels, old records, gauges."""

import asyncio
import logging
from typing import Final

from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Engine, EngineError, EngineRefusedError
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.worker import RunWorker

EVERY_SECONDS: Final = 1.0

_log = logging.getLogger("retryscope_service")


async def check_engine(engine: Engine) -> bool:
    """Whether the engine could be checked; one that is away is waited for.

    Raises:
        EngineRefusedError: It can't be used with its URL.
    """
    try:
        await engine.check()
    except (EngineError, OSError) as error:
        _log.warning("the engine of background runs can't be reached: %s", error)
        return False
    return True


async def maintain(
    engine: Engine,
    runs: BackgroundRuns,
    store: RunStore,
    worker: RunWorker | None,
    metrics: RunMetrics,
    *,
    reachable: bool,
    retention: float,
    max_finished: int,
) -> None:
    """Look after the runs again and again, until cancelled; an engine that is away is waited for.

    One that comes back is checked: it may be another one, or be configured differently.
    """
    refused = ""
    while True:
        try:
            if not reachable:
                await engine.check()
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
        except EngineRefusedError as error:
            if str(error) != refused:
                _log.error("background runs can't work: %s", error)
            refused = str(error)
        await asyncio.sleep(EVERY_SECONDS)
