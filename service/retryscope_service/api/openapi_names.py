"""The part of the OpenAPI document that is sets of names, which the page has to know when it runs, too."""

from typing import Any, Final, get_args

from retryscope import CancelCause, CleanupOutcome, GiveUpReason, Outcome, semconv
from retryscope.outcome import FAILED
from retryscope_service.runs.state import FAILED_STATES, FINAL_STATES, STATES

SPAN_KINDS: Final = ("server", *semconv.PRIMITIVES, "other")


def _names(description: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "description": description, "enum": list(names)}


NAMES: Final = {
    "Outcome": _names("How an operation or a run ended.", get_args(Outcome)),
    "FailedOutcome": _names("The outcomes that are failures.", FAILED),
    "CleanupOutcome": _names("How a cleanup ended.", get_args(CleanupOutcome)),
    "CancelCause": _names("Who asked for a cancellation.", get_args(CancelCause)),
    "GiveUpReason": _names("Why a retry stopped trying.", get_args(GiveUpReason)),
    "RunState": _names("How far a background run is.", STATES),
    "FinalRunState": _names("The states that a background run stays in.", FINAL_STATES),
    "FailedRunState": _names(
        "Those of them that are failures.",
        FAILED_STATES,
    ),
    "SpanKind": _names(
        "The primitive that made a span, a request's server span, or anybody else's.", SPAN_KINDS
    ),
}
"""Schemas by their names."""
