"""The report, and thresholds."""

import json

import pytest

from retryscope_service.load.report import Thresholds, report, warnings
from retryscope_service.load.request import Answer
from retryscope_service.load.tally import LoadNumbers


def numbers_of(good: int, bad: int = 0, seconds: float = 1.0) -> LoadNumbers:
    numbers = LoadNumbers()
    for number in range(good + bad):
        numbers.sent("retry")
        answer = (
            Answer(seconds, 200, "success")
            if number < good
            else Answer(seconds, error="timeout", detail="late")
        )
        numbers.answered("retry", 0.0, 0.0, answer)
    return numbers


@pytest.mark.parametrize(("limit", "broken"), [(0.25, False), (0.2, True), (0.0, True), (1.0, False)])
def test_more_failures_than_allowed_break_a_threshold(limit: float, broken: bool) -> None:
    found = Thresholds(failure_ratio=limit).broken(numbers_of(3, 1).total)
    assert bool(found) == broken
    if broken:
        assert found == [f"25.00% of the requests failed; --max-failure-ratio is {limit:g}"]


@pytest.mark.parametrize(("limit", "broken"), [(1.0, False), (2.0, False), (0.99, True)])
def test_a_slow_p99_breaks_a_threshold(limit: float, broken: bool) -> None:
    assert bool(Thresholds(p99=limit).broken(numbers_of(200).total)) == broken


def test_without_thresholds_everything_goes() -> None:
    assert Thresholds().broken(numbers_of(0, 5).total) == []
    assert Thresholds().broken(LoadNumbers().total) == []


@pytest.mark.parametrize("thresholds", [Thresholds(p99=1), Thresholds(failure_ratio=1)])
def test_a_threshold_of_nothing_is_broken(thresholds: Thresholds) -> None:
    """Nothing was measured, so it can't be said to hold."""
    nothing = ["nothing was measured: no request was due, or each was hung up on purpose"]
    assert thresholds.broken(LoadNumbers().total) == nothing
    hung_up = LoadNumbers()
    hung_up.sent("retry")
    hung_up.answered("retry", 0.0, 0.0, Answer(None))
    assert thresholds.broken(hung_up.total) == nothing


def behind(seconds: float, late: int = 0) -> LoadNumbers:
    numbers = numbers_of(1)
    numbers.delayed(seconds)
    numbers.late = late
    return numbers


def test_a_load_that_was_behind_its_schedule_warns_of_its_numbers() -> None:
    """They are no longer those of the service."""
    assert warnings(behind(0.2)) == []
    (line,) = warnings(behind(0.3))
    assert "up to 0.30 s behind its schedule: so the numbers say more about the machine" in line
    (line,) = warnings(behind(0.1, late=7))
    assert "7 requests that were due were not sent at all" in line
    document = report(behind(3.0, late=7), seconds=2.0, settings={})
    assert document["client"] == {"not_sent": 7, "longest_delay_seconds": 3.0}
    assert len(document["warnings"]) == 1


@pytest.mark.parametrize(("answered", "known"), [(98, False), (99, True), (1000, True)])
def test_a_p99_that_rests_on_a_request_without_an_answer_is_unknown_and_breaks_a_threshold(
    answered: int, known: bool
) -> None:
    """In the report it is null, and a warning says why."""
    numbers = numbers_of(answered)
    numbers.not_sent("timeouts")
    document = json.loads(json.dumps(report(numbers, seconds=2.0, settings={}), allow_nan=False))
    latency = document["total"]["corrected_latency_seconds"]
    assert [latency[name] for name in ("p50", "p90", "p95")] == pytest.approx([1.0] * 3, rel=0.01)
    assert latency["p99"] == (pytest.approx(1.0, rel=0.01) if known else None)
    assert latency["max"] is None
    assert document["total"]["latency_seconds"]["max"] == 1.0
    reason = f"1 of {answered + 1} requests have no latency (1 not sent, as --max-in-flight were outstanding)"
    assert document["warnings"] == [f"{reason}: percentiles that would be theirs are unknown"]
    broken = [f"the 99th percentile is unknown, {reason}; --max-p99 is 86400"]
    assert Thresholds(p99=86_400).broken(numbers.total) == ([] if known else broken)


def test_each_reason_why_a_latency_is_unknown_is_said() -> None:
    numbers = numbers_of(1)
    numbers.abandoned("retry")
    (line,) = warnings(numbers)
    assert line.startswith("1 of 2 requests have no latency (1 without an answer at the end): ")
    numbers.not_sent("retry")
    (line,) = warnings(numbers)
    assert "2 of 3 " in line
    assert "(1 not sent, as --max-in-flight were outstanding; 1 without an answer at the end)" in line


def test_the_report_is_json_with_everything_in_it() -> None:
    numbers = numbers_of(3, 1)
    numbers.not_sent("timeouts")
    document = json.loads(json.dumps(report(numbers, seconds=2.0, settings={"seed": 7})))
    assert document["seed"] == 7
    assert (document["seconds"], document["latency_precision"]) == (2.0, 0.01)
    assert document["workflows"].keys() == {"retry", "timeouts"}
    assert document["workflows"]["timeouts"]["not_sent"] == 1
    total = document["total"]
    assert total == {
        "sent": 4,
        "sent_per_second": 2.0,
        "not_sent": 1,
        "succeeded": 3,
        "failed": 1,
        "hung_up": 0,
        "abandoned": 0,
        "failure_ratio": 0.4,
        "statuses": {"200": 3},
        "outcomes": {"success": 3},
        "errors": {"timeout": {"count": 1, "first": "late"}},
        "latency_seconds": {"p50": 1.0, "p90": 1.0, "p95": 1.0, "p99": 1.0, "max": 1.0},
        "corrected_latency_seconds": {
            "p50": pytest.approx(1.0, rel=0.01),
            "p90": None,
            "p95": None,
            "p99": None,
            "max": None,
        },
    }
