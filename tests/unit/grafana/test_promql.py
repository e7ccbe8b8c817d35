"""The shapes of PromQL that everything is made of."""

from grafana.promql import JOB, OPERATIONS, mean, total
from retryscope import semconv
from retryscope_service.slo.promql import summed


def test_a_selector_has_the_scopes_matchers_first() -> None:
    assert OPERATIONS.counter(semconv.RETRY_GIVEUPS, 'reason="budget"') == (
        'rate(resilience_retry_giveups_total{job="$job", workflow=~"$workflow", operation=~"$operation",'
        ' reason="budget"}[$__rate_interval])'
    )


def test_a_mean_of_nothing_has_no_value() -> None:
    """Attempts per success where nothing succeeds are not 0, which would be better than 1."""
    assert mean("a", "b") == "a\n/ (b > 0)"


def test_a_total_is_over_the_time_range_of_the_dashboard() -> None:
    assert total("a") == "increase(a[$__range])"


def test_a_quantile_is_by_le_besides_what_was_asked_for_and_never_nan() -> None:
    assert JOB.quantile(0.99, semconv.CLEANUP_DURATION, by=("operation",)) == (
        "histogram_quantile(0.99, sum by (operation, le) (rate("
        'resilience_cleanup_duration_seconds_bucket{job="$job"}[$__rate_interval]))) >= 0'
    )


def test_a_sum_over_everything_has_no_labels() -> None:
    assert summed("x") == "sum(x)"
    assert summed("x", "job", "pool") == "sum by (job, pool) (x)"
