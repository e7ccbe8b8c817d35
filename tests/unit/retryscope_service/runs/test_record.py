"""A run's record as it is made from what the store keeps."""

import json
from datetime import UTC, datetime

import pytest

from retryscope_service.runs.filter import FAILURES, Filter
from retryscope_service.runs.record import RunRecord
from retryscope_service.runs.state import FINAL_STATES

QUEUED = {
    b"id": b"a",
    b"workflow": b"retry",
    b"params": b'{"seed": null}',
    b"state": b"queued",
    b"submitted_at": b"1700000000.250000",
}


def test_a_queued_run_has_no_more_than_that() -> None:
    """Empty fields are none; what nobody is shown is left out."""
    record = RunRecord.of_hash({**QUEUED, b"trace_id": b"", b"message": b"{}", b"start_call": b"x"})
    assert record.model_dump(exclude_none=True) == {
        "id": "a",
        "workflow": "retry",
        "params": {"seed": None},
        "state": "queued",
        "submitted_at": datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC),
        "delivery": 0,
        "handed_back": 0,
    }
    assert not record.ended


def test_an_ended_run_has_everything() -> None:
    """Its wait is the time before the first delivery."""
    record = RunRecord.of_hash(
        {
            **QUEUED,
            b"state": b"cancelled",
            b"outcome": b"cancelled",
            b"started_at": b"1700000001.500000",
            b"delivered_at": b"1700000005.000000",
            b"cancel_requested_at": b"1700000006.000000",
            b"ended_at": b"1700000007.000000",
            b"worker": b"host#1",
            b"delivery": b"2",
            b"handed_back": b"1",
            b"trace_id": b"4bf92f3577b34da6a3ce929d0e0e4736",
            b"cleanups": b'{"completed": 2}',
            b"result": b'{"workflow": "retry"}',
            b"error": b'{"type": "lost", "message": "\xc3\xa9"}',
        }
    )
    assert record.queue_wait_seconds == 1.25
    assert (record.worker, record.delivery, record.handed_back) == ("host#1", 2, 1)
    assert record.delivered_at == datetime(2023, 11, 14, 22, 13, 25, tzinfo=UTC)
    assert record.cleanups == {"completed": 2}
    assert record.result == {"workflow": "retry"}
    assert record.error == {"type": "lost", "message": "é"}
    assert record.ended


def test_the_final_states() -> None:
    """Each of the others can still change."""
    base = RunRecord.of_hash(QUEUED)
    for state in ("queued", "running", "cancelling"):
        assert not base.model_copy(update={"state": state}).ended
    for state in FINAL_STATES:
        assert base.model_copy(update={"state": state}).ended


ENDED = {**QUEUED, b"state": b"succeeded", b"outcome": b"success"}
FAILED = b'{"type": "ApiUnavailableError", "message": "away"}'


def counting(**counts: int) -> bytes:
    return json.dumps({"counts": counts, "tasks": []}).encode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({**ENDED, b"result": counting(succeeded=3)}, "none"),
        ({**ENDED, b"result": counting(succeeded=2, failed=1)}, "some"),
        ({**ENDED, b"result": counting(succeeded=2, timed_out=1)}, "some"),
        ({**ENDED, b"result": counting(cancelled=2)}, "none"),
        ({**ENDED, b"result": b"{}"}, "none"),
        ({**ENDED, b"state": b"failed", b"outcome": b"timeout"}, "some"),
        ({**ENDED, b"state": b"cancelled", b"outcome": b"cancelled"}, "none"),
        ({**QUEUED, b"state": b"lost", b"error": FAILED}, "some"),
        ({**QUEUED, b"state": b"running"}, "unknown"),
    ],
)
def test_failures_are_those_of_the_run_and_of_what_is_in_it(
    fields: dict[bytes, bytes], expected: str
) -> None:
    """Of a run that has not ended nobody knows."""
    record = RunRecord.of_hash(fields)
    found = [each for each in FAILURES if Filter(failures={each}).takes(record)]
    assert found == ([] if expected == "unknown" else [expected])
    assert Filter(failures=FAILURES).takes(record) == record.ended


def test_error_types_are_those_of_the_run_and_of_its_tasks() -> None:
    tasks = [{"error": {"type": "ValueError", "message": ""}}, {"value": 1}, {"error": {"type": "timeout"}}]
    result = json.dumps({"tasks": tasks}).encode()
    record = RunRecord.of_hash({**ENDED, b"result": result, b"error": FAILED})
    assert record.error_types == {"ApiUnavailableError", "ValueError", "timeout"}
    assert [Filter(error_type=each).takes(record) for each in ("timeout", "Value")] == [True, False]
    assert RunRecord.of_hash(QUEUED).error_types == set()
