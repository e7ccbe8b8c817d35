"""The counts of background runs: which series there are from the start, and what changes them."""

import time

import pytest

from retryscope_service import semconv
from retryscope_service.runs.message import RunMessage
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.result import Counts, RunResult
from retryscope_service.workflows import WORKFLOWS
from tests.support.recorded import Recorded


@pytest.fixture
def counted(recorded: Recorded) -> RunMetrics:
    return RunMetrics(recorded.registry)


def message(waited: float = 1.5) -> RunMessage:
    return RunMessage(
        id="a", workflow="retry", params={}, seed=1, submitted_at=time.time() - waited, traceparent={}
    )


RESULT = RunResult(
    workflow="retry", outcome="exhausted", trace_id=None, duration_seconds=2.5, counts=Counts(), tasks=[]
)


def test_every_series_is_there_from_the_start(counted: RunMetrics, recorded: Recorded) -> None:
    """So that a rate sees the first increment."""
    samples = recorded.samples()
    for name in WORKFLOWS:
        queued = (("outcome", ""), ("state", "queued"), ("workflow", name))
        assert samples[("retryscope_runs_total", queued)] == 0
    families = {family.name for family in recorded.registry.collect()}
    for metric in (
        semconv.RUNS,
        semconv.RUN_DURATION,
        semconv.RUN_QUEUE_WAIT_DURATION,
        semconv.RUNS_IN_FLIGHT,
        semconv.RUNS_ACTIVE,
        semconv.RUN_QUEUE_DEPTH,
        semconv.RUN_REDELIVERIES,
        semconv.RUN_LATE_RESULTS,
        semconv.RUN_JOINED_DELIVERIES,
        semconv.RUN_RECONCILED,
    ):
        assert metric.name.removesuffix("_total") in families


def test_a_run_on_its_way(counted: RunMetrics, recorded: Recorded) -> None:
    """No series appears that was not there."""
    before = set(recorded.samples())
    with recorded.changes() as changes:
        counted.reached("retry", "queued")
        counted.started(message(), 1)
        counted.left("retry")
        counted.ended("retry", "failed", RESULT, in_time=True)
    assert set(recorded.samples()) == before
    wait = changes.pop('retryscope_run_queue_wait_seconds_sum{workflow="retry"}')
    assert wait == pytest.approx(1.5, abs=0.5)
    assert changes == {
        'retryscope_runs_total{state="queued", workflow="retry"}': 1,
        'retryscope_runs_total{state="running", workflow="retry"}': 1,
        'retryscope_runs_total{outcome="exhausted", state="failed", workflow="retry"}': 1,
        'retryscope_run_queue_wait_seconds_count{workflow="retry"}': 1,
        'retryscope_run_duration_seconds_count{state="failed", workflow="retry"}': 1,
        'retryscope_run_duration_seconds_sum{state="failed", workflow="retry"}': 2.5,
    }


def test_a_redelivery_and_a_late_result(counted: RunMetrics, recorded: Recorded) -> None:
    """The wait is not counted again; what came too late is no end."""
    with recorded.changes() as changes:
        counted.started(message(), 2)
        counted.ended("retry", "failed", RESULT, in_time=False)
    assert changes == {
        'retryscope_runs_total{state="running", workflow="retry"}': 1,
        'retryscope_runs_in_flight{workflow="retry"}': 1,
        'retryscope_run_redeliveries_total{workflow="retry"}': 1,
        'retryscope_run_late_results_total{workflow="retry"}': 1,
    }


def test_the_runs_of_the_engine(counted: RunMetrics, recorded: Recorded) -> None:
    """As they were counted last: gauges, and a number for who asks."""
    counted.counted(9, 9)
    counted.counted(5, 2)
    samples = recorded.samples()
    assert samples["retryscope_runs_active", ()] == counted.active == 5
    assert samples["retryscope_run_queue_depth", ()] == 3


def test_clocks_that_differ_give_no_negative_wait(counted: RunMetrics, recorded: Recorded) -> None:
    """The submitter's may be ahead."""
    with recorded.changes() as changes:
        counted.started(message(-60), 1)
    assert changes['retryscope_run_queue_wait_seconds_count{workflow="retry"}'] == 1
    assert 'retryscope_run_queue_wait_seconds_sum{workflow="retry"}' not in changes
