"""What is counted of a request."""

import pytest

from retryscope_service.load.request import Answer
from retryscope_service.load.tally import LoadNumbers, Tally

OK = Answer(12.0, 200, "success")
EXHAUSTED = Answer(13.0, 502, "exhausted", "http_502", "first detail")
REFUSED = Answer(12.0, error="connection_refused", detail="connection refused")
HUNG_UP = Answer(None)


def counted(*answers: Answer) -> Tally:
    tally = Tally()
    for answer in answers:
        tally.sent += 1
        tally.count_answer(10.0, 11.0, answer)
    return tally


def test_answers_are_counted_by_status_and_outcome() -> None:
    tally = counted(OK, OK, EXHAUSTED, REFUSED)
    assert tally.statuses == {200: 2, 502: 1}
    assert tally.outcomes == {"success": 2, "exhausted": 1}
    assert (tally.succeeded, tally.failed, tally.in_flight) == (2, 2, 0)


def test_errors_are_counted_by_kind_with_what_was_said_first() -> None:
    later = Answer(13.0, 502, "exhausted", "http_502", "second detail")
    errors = counted(EXHAUSTED, later, REFUSED).errors
    assert {kind: (error.count, error.first) for kind, error in errors.items()} == {
        "http_502": (2, "first detail"),
        "connection_refused": (1, "connection refused"),
    }


def test_a_request_that_was_hung_up_on_purpose_is_neither_good_nor_bad_nor_slow() -> None:
    tally = counted(HUNG_UP)
    assert (tally.hung_up, tally.succeeded, tally.failed, tally.in_flight) == (1, 0, 0, 0)
    assert tally.failure_ratio == 0.0
    assert (tally.latency.count, tally.corrected.count) == (0, 0)


def test_failures_too_have_a_latency() -> None:
    tally = counted(OK, EXHAUSTED)
    assert tally.latency.maximum == pytest.approx(2.0)
    assert tally.corrected.maximum == pytest.approx(3.0)


def test_what_was_not_sent_or_abandoned_is_no_success() -> None:
    tally = counted(OK, EXHAUSTED, HUNG_UP)
    tally.not_sent += 1
    tally.abandoned += 1
    assert tally.failure_ratio == pytest.approx(3 / 4)


def test_numbers_add_up_over_workflows() -> None:
    numbers = LoadNumbers()
    for workflow in ("retry", "retry", "timeouts"):
        numbers.sent(workflow)
    numbers.answered("retry", 10.0, 11.0, OK)
    numbers.abandoned("timeouts")
    numbers.not_sent("concurrent")
    assert {name: tally.sent for name, tally in numbers.workflows.items()} == {
        "retry": 2,
        "timeouts": 1,
        "concurrent": 0,
    }
    total = numbers.total
    assert (total.sent, total.in_flight, total.abandoned, total.not_sent) == (3, 1, 1, 1)
    assert (total.corrected.unknown, total.corrected.count, total.latency.count) == (2, 3, 1)
    for workflow in ("timeouts", "concurrent"):
        assert numbers.workflows[workflow].corrected.unknown == 1
