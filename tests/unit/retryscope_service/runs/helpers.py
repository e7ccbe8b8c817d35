"""Runs to submit, and what to wait for."""

import asyncio
import time
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from retryscope_service.runs.engine import Delivery
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.verdicts import Submitted


def away(*args: Any, **kwargs: Any) -> Any:
    """What every call of the engine does while it can't be reached."""
    raise RedisConnectionError("connection refused")


class Handler:
    """Notes what is delivered, and how it ended; holds what it is told to."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.hold = asyncio.Event()

    async def __call__(self, delivery: Delivery) -> bool:
        message = delivery.text
        self.started.append(message)
        try:
            if message.startswith("hold"):
                await self.hold.wait()
            if message == "fail":
                raise RuntimeError("broken")
        except asyncio.CancelledError:
            self.ended.append(f"{message} cancelled")
            raise
        self.ended.append(message)
        return True


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
    assert (await store.start(run_id, "w", call)).verdict == "run"


async def pending(store: RunStore) -> list[str]:
    """The runs of which nobody has noted yet that the engine holds them."""
    async with store._engine.redis() as redis:
        return [each.decode() for each in await redis.zrange(store._pending, 0, -1)]


async def states(store: RunStore, run_id: str) -> list[str]:
    """The states that its events name."""
    return [event["state"] for event in await store.events(run_id, 0) if event["event"] == "state"]
