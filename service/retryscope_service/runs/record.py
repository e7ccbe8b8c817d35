"""The record of a background run: what it was asked to do, how far it has come, what came out."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from retryscope import Outcome
from retryscope.outcome import FAILED
from retryscope_service.runs.state import FINAL_STATES, RunState


class RunRecord(BaseModel):
    """A background run. Times are seconds since the epoch inside, ISO 8601 outside."""

    id: str
    workflow: str
    params: dict[str, Any] = Field(
        description="All of them, and a seed drawn if none was sent: sent again, they repeat the run."
    )
    state: RunState
    outcome: Outcome | None = Field(None, description="Of the workflow; only when it has ended.")
    submitted_at: datetime
    started_at: datetime | None = Field(None, description="Of the first delivery.")
    delivered_at: datetime | None = Field(None, description="Of the last delivery.")
    cancel_requested_at: datetime | None = None
    ended_at: datetime | None = None
    queue_wait_seconds: float | None = Field(None, description="From the submission to the first delivery.")
    worker: str | None = Field(None, description="Worker of the last delivery.")
    delivery: int = Field(0, description="Deliveries so far; more than one after a crash or a shutdown.")
    handed_back: int = Field(0, description="How often a shutdown gave the run back to the engine.")
    trace_id: str | None = None
    cleanups: dict[str, int] | None = Field(
        None, description="Cleanups of cancelled tasks by how they ended: completed, failed, timed_out."
    )
    result: dict[str, Any] | None = Field(None, description="As an inline run answers.")
    error: dict[str, str] | None = None

    @property
    def ended(self) -> bool:
        """Whether it is in a final state."""
        return self.state in FINAL_STATES

    @property
    def has_failures(self) -> bool:
        """Whether it failed, or any task of it: a success may hide some."""
        counts = (self.result or {}).get("counts", {})
        inside = counts.get("failed", 0) + counts.get("timed_out", 0)
        return bool(inside) or self.state == "lost" or self.outcome in FAILED

    @property
    def error_types(self) -> frozenset[str]:
        """Of the run's error and of those of its tasks."""
        tasks = (self.result or {}).get("tasks", ())
        errors = [self.error, *(task.get("error") for task in tasks)]
        return frozenset(error["type"] for error in errors if error)

    @classmethod
    def of_hash(cls, fields: Mapping[bytes, bytes]) -> "RunRecord":
        """From the hash in which the store keeps it."""
        text = {key.decode(): value.decode() for key, value in fields.items()}
        known: dict[str, Any] = {key: text[key] for key in _PLAIN if text.get(key)}
        known |= {key: _time(text[key]) for key in _TIMES if text.get(key)}
        known |= {key: json.loads(text[key]) for key in _JSON if text.get(key)}
        if "started_at" in known:
            waited = float(text["started_at"]) - float(text["submitted_at"])
            known["queue_wait_seconds"] = round(waited, 6)
        return cls(**known)


_PLAIN: Final = ("id", "workflow", "state", "outcome", "worker", "delivery", "handed_back", "trace_id")
_TIMES: Final = ("submitted_at", "started_at", "delivered_at", "cancel_requested_at", "ended_at")
_JSON: Final = ("params", "cleanups", "result", "error")


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(float(text), UTC)
