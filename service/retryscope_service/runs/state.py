"""How far a background run is, and which state the outcome of its workflow leads to."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from retryscope import Outcome
from retryscope.outcome import FAILED

RunState = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled", "lost"]

STATE_OF: Final[Mapping[Outcome, RunState]] = {
    "success": "succeeded",
    "cancelled": "cancelled",
    **dict.fromkeys(FAILED, "failed"),
}
"""The state in which a run is that has ended with an outcome."""
FINAL_STATES: Final[tuple[RunState, ...]] = ("succeeded", "failed", "cancelled", "lost")
"""The states that a run stays in; a lost one has no outcome."""
FAILED_STATES: Final = tuple(
    state for state in FINAL_STATES if state not in (STATE_OF["success"], STATE_OF["cancelled"])
)


def outcomes_of(state: RunState) -> tuple[str, ...]:
    """The outcomes that a run in a state may have; an empty one where it has none.

    >>> outcomes_of("failed")
    ('error', 'timeout', 'exhausted')
    >>> outcomes_of("queued")
    ('',)
    """
    return tuple(outcome for outcome, led_to in STATE_OF.items() if led_to == state) or ("",)


STATES: Final[tuple[RunState, ...]] = get_args(RunState)
