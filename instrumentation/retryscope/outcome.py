"""How an execution ended, and what its span's status says about it.

Projects disagree on the status of a cancelled or retried span, so the rule is stated in one
function, :func:`status_rule`, which :func:`retryscope.setup` lets you replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, cast, get_args

from retryscope import semconv
from retryscope.printable import MAX_MESSAGE, capped, encodable, shown

Outcome = Literal["success", "error", "timeout", "exhausted", "cancelled"]
"""``success``; ``error`` (not retryable, or no retry); ``timeout`` (the operation's *own* limit);
``exhausted`` (a retry gave up); ``cancelled`` (someone outside asked)."""

CleanupOutcome = Literal["completed", "failed", "timed_out"]
"""How the cleanup of a cancelled task ended."""

GiveUpReason = Literal["max_attempts", "deadline", "budget", "non_retryable"]
"""Why a retry stopped trying."""

CancelCause = Literal["request", "client_disconnect", "sibling", "deadline", "shutdown"]
"""Who asked for a cancellation."""

OUTCOMES: Final = cast(tuple[Outcome, ...], get_args(Outcome))
ATTEMPT_OUTCOMES: Final[tuple[Outcome, ...]] = ("success", "error", "timeout", "cancelled")
CLEANUP_OUTCOMES: Final = cast(tuple[CleanupOutcome, ...], get_args(CleanupOutcome))
GIVEUP_REASONS: Final = cast(tuple[GiveUpReason, ...], get_args(GiveUpReason))
CANCEL_CAUSES: Final = cast(tuple[CancelCause, ...], get_args(CancelCause))

FAILED: Final[tuple[Outcome, ...]] = ("error", "timeout", "exhausted")
"""The outcomes that are failures."""
COUNTED: Final[tuple[Outcome, ...]] = ("success", *FAILED)
"""What a failure ratio divides by: a cancellation is neither a success nor a failure."""


def status_rule(outcome: Outcome) -> bool:
    """Whether a span with this outcome gets the status ERROR (else it stays UNSET).

    A cancellation is no failure: the span stays UNSET and carries ``resilience.outcome``. A retry that
    succeeded later is a success ("errors that were retried should not be recorded", says the
    OpenTelemetry convention); the attempt that failed has its own ERROR.

    >>> [outcome for outcome in OUTCOMES if status_rule(outcome)]
    ['error', 'timeout', 'exhausted']
    """
    return outcome in FAILED


_AS_HOPED: Final = frozenset({None, "success", "completed"})


def is_more_than_a_success(said: Mapping[str, object]) -> bool:
    """Whether attributes of an ended span make its trace more than one: it failed, or is part of a retry.

    >>> is_more_than_a_success({semconv.OUTCOME: "success"})
    False
    >>> is_more_than_a_success({semconv.OUTCOME: "success", semconv.RETRY_ATTEMPTS: 2})
    True
    """
    return (
        said.get(semconv.OUTCOME) not in _AS_HOPED
        or said.get(semconv.CLEANUP_OUTCOME) not in _AS_HOPED
        or is_above_one(said.get(semconv.ATTEMPT_NUMBER))
        or is_above_one(said.get(semconv.RETRY_ATTEMPTS))  # where attempts are events of their retry's span
    )


def is_above_one(number: object) -> bool:
    """Whether the number of an attempt, or of attempts, is that of a retry.

    >>> is_above_one(1), is_above_one(2), is_above_one(None)
    (False, True, False)
    """
    return isinstance(number, int) and number > 1


def error_type(error: BaseException) -> str:
    """The value of ``error.type``: the class's qualified name; for a group, its leaves' common class.

    >>> error_type(ValueError("no"))
    'ValueError'
    >>> error_type(ExceptionGroup("both", [OSError("a"), ExceptionGroup("inner", [OSError("b")])]))
    'OSError'
    >>> error_type(ExceptionGroup("mixed", [OSError("a"), KeyError("b")]))
    'ExceptionGroup'
    """
    if isinstance(error, BaseExceptionGroup):
        kinds = {type(leaf).__qualname__ for leaf in _leaves(error)}
        return shown(kinds.pop()) if len(kinds) == 1 else "ExceptionGroup"
    return shown(type(error).__qualname__)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    # Neither by recursion nor twice: groups may be nested deeply, and share members.
    groups, seen = [group], {id(group)}
    while groups:
        for member in groups.pop().exceptions:
            if id(member) in seen:
                continue
            seen.add(id(member))
            if isinstance(member, BaseExceptionGroup):
                groups.append(member)
            else:
                yield member


def message_of(error: BaseException) -> str:
    """``str(error)``, cut after 8192 characters, or a placeholder where its own ``__str__`` fails."""
    try:
        return capped(encodable(str(error)), MAX_MESSAGE)
    except Exception:
        return f"<{type(error).__qualname__} whose message can't be shown>"


def error_type_of(outcome: Outcome, error: BaseException | None) -> str:
    """``error.type`` for an execution's outcome; empty where the outcome has none."""
    if outcome == "timeout":
        return semconv.ERROR_TYPE_TIMEOUT
    if error is None or outcome == "cancelled":
        return ""
    return error_type(error)
