"""Calls to the engine that outlast a moment without it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

from retryscope import Operation, RetryPolicy, retry, without_spans
from retryscope_service.runs.engine import EngineError

P = ParamSpec("P")
T = TypeVar("T")

LAST_SECONDS: Final = 5.0
"""How long a worker that shuts down still tries to write what became of a run: a busy Redis has that time."""

ENGINE_CALL = Operation("engine_call", error_types=("ConnectionError",))

# A client waits for the answer: a restart of Redis is bridged, an outage is said so.
_for_client = retry(
    ENGINE_CALL,
    RetryPolicy(
        max_attempts=5, base_delay=0.1, max_delay=0.5, jitter="none", retry_on=(EngineError, OSError)
    ),
)
# A run that was delivered must start, and what it came to must be kept.
_for_run = retry(
    ENGINE_CALL,
    RetryPolicy(
        max_attempts=10_000, base_delay=0.1, max_delay=2.0, jitter="none", retry_on=(EngineError, OSError)
    ),
)


async def for_client(fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the engine on behalf of a waiting client: about a second of patience.

    Raises:
        EngineError: The engine can't be reached.
    """
    with without_spans():  # counted and logged, but no part of anybody's trace
        return await _for_client.call(fn, *args, **kwargs)


class RunRetry:
    """How long a worker's calls on behalf of its runs wait for the engine.

    Five and a half hours; from the moment in which a shutdown has waited long enough, ``LAST_SECONDS`` more.
    """

    def __init__(self) -> None:
        self._ended = False
        self._limits: set[asyncio.Timeout] = set()

    async def call(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the engine on behalf of a run.

        Raises:
            EngineError: The engine can't be reached.
        """
        limit = asyncio.timeout(LAST_SECONDS if self._ended else None)
        try:
            async with limit:
                self._limits.add(limit)
                with without_spans():
                    return await _for_run.call(fn, *args, **kwargs)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise EngineError("it can't be reached, and the shutdown waits no longer") from error
        finally:
            self._limits.discard(limit)

    def end(self) -> None:
        """Wait for the engine no longer: this process is shutting down."""
        self._ended = True
        until = asyncio.get_running_loop().time() + LAST_SECONDS
        for limit in self._limits:
            limit.reschedule(until)
