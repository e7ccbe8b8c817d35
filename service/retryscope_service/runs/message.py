"""What travels through the engine: one JSON string, nothing that could be code."""

from typing import Any

from pydantic import BaseModel


class RunMessage(BaseModel):
    """A run, as a worker gets it.

    Attributes:
        params: As they were sent.
        seed: The one that was sent with them, or was drawn.
    """

    id: str
    workflow: str
    params: dict[str, Any]
    seed: int
    submitted_at: float
    traceparent: dict[str, str]
