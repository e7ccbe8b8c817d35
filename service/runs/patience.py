"""Calls to the engine that outlast a moment without it."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from instrumentation import Operation, RetryPolicy, retry, without_spans
from service.runs.engine import EngineError

P = ParamSpec("P")
T = TypeVar("T")

ENGINE_CALL = Operation("engine_call", workflow="runs", error_types=("ConnectionError",))

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
        max_attempts=100, base_delay=0.1, max_delay=2.0, jitter="none", retry_on=(EngineError, OSError)
    ),
)


async def for_client(fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the engine on behalf of a waiting client: about a second of patience.

    Raises:
        EngineError: The engine can't be reached.
    """
    with without_spans():  # counted and logged, but no part of anybody's trace
        return await _for_client.call(fn, *args, **kwargs)


async def for_run(fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the engine on behalf of a run: some minutes of patience.

    Raises:
        EngineError: The engine can't be reached.
    """
    with without_spans():
        return await _for_run.call(fn, *args, **kwargs)
