"""A request, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Kind = Literal["inline", "background", "cancel", "hang_up"]
"""``inline`` waits for the answer, ``background`` submits a run, ``cancel`` submits one and cancels it,
``hang_up`` disconnects while the run is going on, which cancels it too."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to send.

    Attributes:
        workflow: Name of the workflow.
        body: Its parameters.
        kind: How it is run, and whether it is cancelled.
        after: Seconds after which it is cancelled or hung up.
    """

    workflow: str
    body: Mapping[str, Any]
    kind: Kind = "inline"
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Attributes:
        answered_at: Loop time of the answer, or of the error; None where the client meant to hang up.
        status: HTTP status, where there was an answer.
        outcome: The workflow's outcome; ``accepted`` and ``cancel_requested`` of background runs.
        error: Kind of the failure: ``connection_refused``, ``timeout``, ``http_429`` and so on; None: none.
        detail: What was said about it.
    """

    answered_at: float | None
    status: int | None = None
    outcome: str | None = None
    error: str | None = None
    detail: str = ""


class Sender(Protocol):
    """What sends requests: an HTTP client, or a stand-in."""

    async def send(self, request: Request) -> Answer:
        """Send it and wait for what becomes of it; failures are answers too, never exceptions."""
