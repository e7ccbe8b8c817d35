"""What is read out of metrics and traces: changes of counts, and spans that fit a description."""

import math

import pytest

from retryscope import semconv as library
from retryscope_service import semconv
from retryscope_service.drills.evidence import Evidence, Span, SpanLike, ratio, read_samples, read_spans

BEFORE = """\
resilience_attempts_total{workflow="retry",operation="a",outcome="success",error_type=""} 3.0
resilience_attempts_total{workflow="timeouts",operation="a",outcome="success",error_type=""} 3.0
resilience_attempt_duration_seconds_sum{workflow="retry",operation="a",outcome="success"} 1.5
resilience_attempt_duration_seconds_count{workflow="retry",operation="a",outcome="success"} 3.0
"""
AFTER = """\
resilience_attempts_total{workflow="retry",operation="a",outcome="success",error_type=""} 6.0
resilience_attempts_total{workflow="retry",operation="a",outcome="error",error_type="X"} 1.0
resilience_attempts_total{workflow="timeouts",operation="a",outcome="success",error_type=""} 9.0
resilience_attempt_duration_seconds_sum{workflow="retry",operation="a",outcome="success"} 4.5
resilience_attempt_duration_seconds_count{workflow="retry",operation="a",outcome="success"} 6.0
retryscope_upstream_requests_total{route="/job",status="500",fault="error"} 4.0
"""
SEEN = Evidence(read_samples(BEFORE), read_samples(AFTER))


def test_what_counts_is_the_change_in_this_workflow() -> None:
    """A series that was not there before began at zero."""
    assert SEEN.count(library.ATTEMPTS) == 4
    assert SEEN.count(library.ATTEMPTS, outcome="error") == 1


def test_a_metric_without_a_workflow_is_counted_whole() -> None:
    assert SEEN.count(semconv.UPSTREAM_REQUESTS, fault="error") == 4


def test_a_share_is_of_all_that_was_counted() -> None:
    assert SEEN.share(library.ATTEMPTS, outcome="error") == 0.25


def test_a_mean_is_that_of_the_changes() -> None:
    assert SEEN.mean(library.ATTEMPT_DURATION) == 1.0


def test_where_nothing_was_counted_a_number_is_none() -> None:
    """It would be within bounds as little as beyond them."""
    assert math.isnan(ratio(0, 0))
    assert math.isnan(Evidence().share(library.ATTEMPTS, outcome="error"))
    assert math.isnan(SEEN.mean(library.BACKOFF_DURATION))


def span(name: str = "attempt a", *, failed: bool = False, seconds: float = 1.0, **attributes: str) -> Span:
    return Span(name, "t", failed, seconds, attributes)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        pytest.param(SpanLike("attempt "), True, id="by how its name begins"),
        pytest.param(SpanLike("retry "), False, id="another name"),
        pytest.param(SpanLike("attempt ", failed=True), True, id="failed"),
        pytest.param(SpanLike("attempt ", failed=False), False, id="not failed"),
        pytest.param(SpanLike("attempt ", {"kind": "x"}), True, id="by an attribute"),
        pytest.param(SpanLike("attempt ", {"kind": "y"}), False, id="another value"),
        pytest.param(SpanLike("attempt ", {"other": "x"}), False, id="another attribute"),
        pytest.param(SpanLike("attempt ", seconds=1.0), True, id="long enough"),
        pytest.param(SpanLike("attempt ", seconds=1.1), False, id="too short"),
    ],
)
def test_a_span_fits_a_description_in_all_that_it_says(wanted: SpanLike, fits: bool) -> None:
    assert wanted.fits(span(failed=True, kind="x")) is fits


def test_traces_count_that_have_a_span_for_each_description() -> None:
    both, one = [span(), span("backoff a")], [span()]
    seen = Evidence(traces=[both, one, []])
    assert seen.traces_with(SpanLike("attempt "), SpanLike("backoff ")) == 1
    assert seen.traces_with(SpanLike("attempt ")) == 2


def test_spans_are_read_from_otlp_json_once_they_have_ended() -> None:
    ended = {
        "name": "attempt a",
        "traceId": "t",
        "startTimeUnixNano": "1000000000",
        "endTimeUnixNano": "1500000000",
        "status": {"code": 2},
        "attributes": [
            {"key": "number", "value": {"intValue": "3"}},
            {"key": "kind", "value": {"stringValue": "x"}},
        ],
    }
    running = {"name": "retry a", "traceId": "t", "startTimeUnixNano": "1"}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [ended, running]}]}]}
    assert list(read_spans(document)) == [Span("attempt a", "t", True, 0.5, {"number": 3, "kind": "x"})]
