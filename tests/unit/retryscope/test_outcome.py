"""How an execution ended, and what its span's status says about it."""

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.trace import StatusCode

from retryscope import (
    Outcome,
    RetryPolicy,
    error_type,
    gather,
    message_of,
    retry,
    semconv,
    status_rule,
    step,
    workflow,
)
from retryscope.outcome import COUNTED, FAILED, OUTCOMES, error_type_of, is_above_one, is_more_than_a_success
from tests.support.clock import run
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import PRICE, failer

SHARED = OSError("shared")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("broken __str__")


def test_a_cancellation_is_no_failure() -> None:
    """The rule of TELEMETRY.md: UNSET for success and cancelled."""
    assert {outcome: status_rule(outcome) for outcome in OUTCOMES} == {
        "success": False,
        "error": True,
        "timeout": True,
        "exhausted": True,
        "cancelled": False,
    }


def test_every_outcome_is_a_success_a_failure_or_a_cancellation() -> None:
    """What dashboards, alerts and the page select; in the order of the outcomes, as legends have it."""
    assert tuple(filter(status_rule, OUTCOMES)) == FAILED
    assert ("success", *FAILED) == COUNTED
    assert (*COUNTED, "cancelled") == OUTCOMES


def _every_status(recorded: Recorded) -> Iterator[tuple[str, StatusCode]]:
    async def main() -> None:
        async with workflow("checkout"), step(PRICE):
            await gather(
                PRICE, {"a": retry(PRICE, RetryPolicy(max_attempts=1))(failer(OSError()))}, fail_fast=True
            )

    with pytest.raises(ExceptionGroup):
        run(main())
    return ((span.name, span.status.status_code) for span in recorded.spans())


def test_the_status_rule_can_be_switched() -> None:
    """A project that wants a failed span UNSET says so in one function, and it holds everywhere."""
    with recording() as recorded:
        assert set(dict(_every_status(recorded)).values()) == {StatusCode.ERROR}
    with recording(is_failure=lambda outcome: False) as recorded:
        assert set(dict(_every_status(recorded)).values()) == {StatusCode.UNSET}


def test_a_rule_can_make_a_cancellation_an_error_nowhere() -> None:
    """The rule is asked about failures only: a cancel has no error to describe."""
    asked: list[Outcome] = []

    def rule(outcome: Outcome) -> bool:
        asked.append(outcome)
        return True

    async def main() -> None:
        async with step(PRICE):
            raise asyncio.CancelledError

    with recording(is_failure=rule) as recorded, pytest.raises(asyncio.CancelledError):
        run(main())
    assert [span.status.status_code for span in recorded.spans()] == [StatusCode.UNSET]
    assert asked == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("no"), "ValueError"),
        (UnprintableError(), "UnprintableError"),
        (ExceptionGroup("g", [OSError("a"), ExceptionGroup("h", [OSError("b")])]), "OSError"),
        (ExceptionGroup("g", [OSError("a"), KeyError("b")]), "ExceptionGroup"),
        (BaseExceptionGroup("g", [OSError("a"), KeyboardInterrupt()]), "ExceptionGroup"),
        (ExceptionGroup("g", [ExceptionGroup("h", [OSError("a")]), KeyError("b")]), "ExceptionGroup"),
        (ExceptionGroup("g", [SHARED, SHARED, KeyError("b")]), "ExceptionGroup"),
    ],
    ids=[
        "class",
        "own class",
        "common leaf",
        "mixed leaves",
        "mixed base",
        "mixed depth",
        "mixed, one twice",
    ],
)
def test_error_type_is_the_qualified_class_name_or_a_groups_common_leaf(
    error: BaseException, kind: str
) -> None:
    """Never the message: that has no bound."""
    assert error_type(error) == kind


def test_a_message_that_cannot_be_shown_has_a_placeholder() -> None:
    """An exception's broken ``__str__`` must not break the telemetry."""
    assert message_of(OSError("gone")) == "gone"
    assert message_of(UnprintableError()) == "<UnprintableError whose message can't be shown>"


@pytest.mark.parametrize(
    ("outcome", "error", "kind"),
    [
        ("success", None, ""),
        ("cancelled", asyncio.CancelledError(), ""),
        ("timeout", TimeoutError(), "timeout"),
        ("error", TimeoutError(), "TimeoutError"),
        ("exhausted", OSError(), "OSError"),
    ],
)
def test_error_type_of_an_own_timeout_is_timeout(
    outcome: Outcome, error: BaseException | None, kind: str
) -> None:
    """And outcomes that are no failure have none."""
    assert error_type_of(outcome, error) == kind


def test_groups_may_be_nested_deeply_and_share_members() -> None:
    deep: Exception = OSError("no")
    for _ in range(3000):
        deep = ExceptionGroup("deep", [deep])
    wide: Exception = OSError("no")
    for _ in range(60):
        wide = ExceptionGroup("wide", [wide, wide])
    assert (error_type(deep), error_type(wide)) == ("OSError", "OSError")


@pytest.mark.parametrize(
    ("said", "more"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({semconv.OUTCOME: "success"}, False, id="success"),
        pytest.param({semconv.CLEANUP_OUTCOME: "completed"}, False, id="cleaned up"),
        pytest.param({semconv.ATTEMPT_NUMBER: 1, semconv.RETRY_ATTEMPTS: 1}, False, id="one attempt"),
        pytest.param({semconv.OUTCOME: "cancelled"}, True, id="cancelled"),
        pytest.param({semconv.CLEANUP_OUTCOME: "timed_out"}, True, id="cleanup cut off"),
        pytest.param({semconv.OUTCOME: "success", semconv.ATTEMPT_NUMBER: 2}, True, id="second attempt"),
        pytest.param({semconv.OUTCOME: "success", semconv.RETRY_ATTEMPTS: 2}, True, id="two attempts"),
    ],
)
def test_a_span_is_more_than_a_success_by_any_one_of_what_it_says(
    said: dict[str, str | int], more: bool
) -> None:
    """Each alone makes a trace one that is kept."""
    assert is_more_than_a_success(said) is more


@pytest.mark.parametrize(
    ("number", "above"), [(None, False), ("2", False), (1, False), (2, True), (3, True)], ids=repr
)
def test_a_number_of_attempts_is_that_of_a_retry_above_one(number: object, above: bool) -> None:
    """And only a number is."""
    assert is_above_one(number) is above
