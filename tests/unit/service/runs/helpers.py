"""Runs to submit, and what to wait for."""

import time
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from service.runs.store import RunStore, Submitted


def away(*args: Any, **kwargs: Any) -> Any:
    """What every call of the engine does while it can't be reached."""
    raise RedisConnectionError("connection refused")


async def submit(store: RunStore, run_id: str, *, key: str | None = None, **given: Any) -> Submitted:
    """Store a run."""
    fields = {
        "id": run_id,
        "workflow": "retry",
        "params": "{}",
        "state": "queued",
        "submitted_at": f"{given.pop('at', time.time()):.6f}",
        "message": f"message of {run_id}",
    }
    options = {"limit": 1000, "body": "body", "retention": 60.0, **given}
    return await store.submit(run_id, fields, idempotency_key=key, **options)


async def running(store: RunStore, run_id: str, call: str = "first call") -> None:
    """A run that a worker has."""
    await submit(store, run_id)
    await store.enqueued(run_id)
    assert (await store.start(run_id, "w", call)).verdict == "run"


async def states(store: RunStore, run_id: str) -> list[str]:
    """The states that its events name."""
    return [event["state"] for event in await store.events(run_id, 0) if event["event"] == "state"]
