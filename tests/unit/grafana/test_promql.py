"""The shapes of PromQL that everything is made of."""

from grafana.promql import JOB, OPERATIONS, ratio, summed
from instrumentation import semconv


def test_a_selector_has_the_scopes_matchers_first() -> None:
    assert OPERATIONS.counter(semconv.RETRY_GIVEUPS, 'reason="budget"') == (
        'rate(resilience_retry_giveups_total{job="$job", workflow=~"$workflow", operation=~"$operation",'
        ' reason="budget"}[$__rate_interval])'
    )


def test_a_ratio_is_0_where_there_is_nothing_to_divide_by() -> None:
    assert ratio("a", "b") == "a\n/ (b > 0)\nor 0 * b"


def test_a_quantile_is_by_le_besides_what_was_asked_for_and_never_nan() -> None:
    assert JOB.quantile(0.99, semconv.CLEANUP_DURATION, by=("operation",)) == (
        "histogram_quantile(0.99, sum by (operation, le) (rate("
        'resilience_cleanup_duration_seconds_bucket{job="$job"}[$__rate_interval]))) >= 0'
    )


def test_a_sum_over_everything_has_no_labels() -> None:
    assert summed("x") == "sum(x)"
    assert summed("x", "job", "pool") == "sum by (job, pool) (x)"
