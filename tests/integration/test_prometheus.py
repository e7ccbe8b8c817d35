"""A real Prometheus scrapes the running service: the dashboards' questions get the answers that are true.

Every series exists before the first run, and the traffic lies between two scrapes of the same window, so
Prometheus extrapolates numerator and denominator by the same factor: their ratio is exact.
"""

import bisect
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from retryscope import semconv
from tests.integration.conftest import running_service
from tests.support.polling import wait_until
from tests.support.process import Answer, Service
from tests.support.prometheus import Prometheus, prometheus
from tests.support.spans import from_json

WINDOW = "10m"
"""Longer than everything here takes, on a slow machine too."""

BY = "sum by (workflow, operation)"
DURATION = semconv.OPERATION_DURATION.name
QUESTIONS = {
    "failure ratio": f"""
        {BY}(rate({DURATION}_count{{outcome=~"error|timeout|exhausted"}}[$window]))
        / {BY}(rate({DURATION}_count{{outcome!="cancelled"}}[$window]))""",
    "amplification": f"""
        {BY}(rate(resilience_attempts_total[$window]))
        / {BY}(rate({DURATION}_count[$window]))""",
    "attempts per success": f"""
        {BY}(rate(resilience_operation_attempts_sum{{outcome="success"}}[$window]))
        / {BY}(rate(resilience_operation_attempts_count{{outcome="success"}}[$window]))""",
    "backoff share": f"""
        {BY}(rate(resilience_backoff_duration_seconds_sum[$window]))
        / {BY}(rate({DURATION}_sum[$window]))""",
    "attempt timeout ratio": f"""
        {BY}(rate(resilience_attempts_total{{outcome="timeout"}}[$window]))
        / {BY}(rate(resilience_attempts_total[$window]))""",
    "cancellations by cause": f"""
        sum by (workflow, operation, cause)(rate(resilience_cancellations_total[$window]))
        / ignoring(cause) group_left() {BY}(rate(resilience_cancellations_total[$window]))""",
    "cleanup p95": """
        histogram_quantile(0.95,
          sum by (workflow, operation, le)(rate(resilience_cleanup_duration_seconds_bucket[$window])))""",
    "in flight": f"{BY}(resilience_operations_in_flight)",
    "exhausted retries": f"""
        sum by (workflow, operation, reason)(rate(resilience_retry_giveups_total[$window]))
        / ignoring(reason) group_left() {BY}(rate({DURATION}_count[$window]))""",
}

RETRY = ("retry", "flaky_api_call")
SEED_OF_FOUR_ATTEMPTS = 8


@dataclass
class Scraped:
    """A service after known traffic, and the Prometheus that saw all of it."""

    service: Service
    prometheus: Prometheus
    started: float
    retries: list[Answer]
    cancellations: list[Answer]

    def ask(self, question: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The answer to a dashboard's question, by workflow, operation and further labels.

        An operation without traffic has no ratio: it is 0 / 0 and left out.
        """
        expression = QUESTIONS[question].replace("$window", WINDOW)
        answer = self.prometheus.query(expression, "workflow", "operation", *labels)
        return {series: value for series, value in answer.items() if not math.isnan(value)}


@pytest.fixture(scope="module")
def scraped(
    system_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scraped]:
    folder = tmp_path_factory.mktemp("prometheus")
    program = system_tool("prometheus")
    with (
        running_service(folder / "service") as service,
        prometheus(program, folder / "prometheus", service.port) as server,
    ):
        started = time.time()
        selector = f'{DURATION}_count{{operation="flaky_api_call",outcome="success"}}'

        def wait_for_scrapes(number: float) -> None:
            wait_until(lambda: scrapes() >= number, f"it was scraped {number:g} times")

        def scrapes() -> float:
            return max(server.query(f"count_over_time({selector}[{WINDOW}])").values(), default=0)

        wait_for_scrapes(2)
        scraped = Scraped(service, server, started, *drive_traffic(service))
        wait_for_scrapes(scrapes() + 2)
        yield scraped


def drive_traffic(service: Service) -> tuple[list[Answer], list[Answer]]:
    """Runs whose numbers are known; returns the answers of `retry` and of `cancellation`."""
    fast = {"time_scale": 0.01}
    retries = [service.run("retry", failure_rate=0, **fast) for _ in range(3)]
    retries += [service.run("retry", failure_rate=1, max_retries=2, **fast) for _ in range(2)]
    retries.append(service.run("retry", failure_rate=0.6, seed=SEED_OF_FOUR_ATTEMPTS, **fast))
    service.run("sequential", tasks=4, failure_rate=0, **fast)
    service.run("sequential", tasks=1, failure_rate=1, **fast)
    service.run("concurrent", tasks=3, failure_rate=0, **fast)
    service.run("concurrent", tasks=1, failure_rate=1, **fast)
    never, at_once = {"duration": 3600.0, "timeout": 0.01}, {"duration": 0.0, "timeout": 3600.0}
    for limits in (never, at_once, at_once, at_once):
        service.run("timeouts", operations=[{"name": "API Call", **limits}])
    cancellations = [
        service.run("cancellation", durations=[0, 3600, 3600], cancel_after=1, cleanup=0.1) for _ in range(2)
    ]
    return retries, cancellations


def test_the_traffic_is_what_it_is_taken_for(scraped: Scraped) -> None:
    found = [(answer.body["outcome"], answer.body["tasks"][0]["attempts"]) for answer in scraped.retries]
    assert found == [("success", 1)] * 3 + [("exhausted", 3)] * 2 + [("success", 4)]
    for answer in scraped.cancellations:
        assert answer.body["counts"] == {"succeeded": 1, "failed": 0, "timed_out": 0, "cancelled": 2}


def test_failure_ratio(scraped: Scraped) -> None:
    """What was cancelled counts on neither side."""
    assert scraped.ask("failure ratio") == pytest.approx(
        {
            RETRY: 2 / 6,
            ("sequential", "risky_task"): 1 / 5,
            ("concurrent", "risky_task"): 1 / 4,
            ("concurrent", "process_success"): 0.0,
            ("timeouts", "API Call"): 1 / 4,
            ("cancellation", "long_running_task"): 0.0,
        }
    )


def test_amplification(scraped: Scraped) -> None:
    answer = scraped.ask("amplification")
    assert answer[RETRY] == pytest.approx((3 * 1 + 2 * 3 + 4) / 6)
    assert answer["sequential", "risky_task"] == pytest.approx(1.0)
    assert answer["timeouts", "API Call"] == pytest.approx(1.0)


def test_attempts_per_success(scraped: Scraped) -> None:
    assert scraped.ask("attempts per success")[RETRY] == pytest.approx((3 * 1 + 4) / 4)


def test_share_of_time_lost_in_backoff(scraped: Scraped) -> None:
    """The seconds that the answers tell, of those that the service counted: no clock of the test's own."""
    waited = sum(task["backoff_seconds"] for answer in scraped.retries for task in answer.body["tasks"])
    took = scraped.service.metric(f"{DURATION}_sum", workflow=RETRY[0], operation=RETRY[1])
    assert 0 < waited < took
    assert scraped.ask("backoff share")[RETRY] == pytest.approx(waited / took, rel=1e-3)


def test_attempt_timeout_ratio(scraped: Scraped) -> None:
    answer = scraped.ask("attempt timeout ratio")
    assert answer["timeouts", "API Call"] == pytest.approx(1 / 4)
    assert answer[RETRY] == 0.0


def test_cancellations_by_cause(scraped: Scraped) -> None:
    answer = scraped.ask("cancellations by cause", "cause")
    found = {cause: share for (workflow, _, cause), share in answer.items() if workflow == "cancellation"}
    assert found == {"request": 1.0, "client_disconnect": 0, "sibling": 0, "deadline": 0, "shutdown": 0}
    cancelled = scraped.service.metric("resilience_cancellations_total", cause="request")
    assert cancelled == 4


def test_cleanup_p95(scraped: Scraped) -> None:
    seconds = [
        task["cleanup_seconds"]
        for answer in scraped.cancellations
        for task in answer.body["tasks"]
        if task["outcome"] == "cancelled"
    ]
    assert len(seconds) == 4
    assert min(seconds) >= 0.09
    # A quantile of a histogram is only as exact as its buckets.
    bounds = (0.0, *semconv.CLEANUP_DURATION.buckets)
    least, most = bisect.bisect_left(bounds, min(seconds)) - 1, bisect.bisect_left(bounds, max(seconds))
    p95 = scraped.ask("cleanup p95")["cancellation", "long_running_task"]
    assert bounds[least] <= p95 <= bounds[most]


def test_exhausted_retries(scraped: Scraped) -> None:
    answer = scraped.ask("exhausted retries", "reason")
    found = {reason: share for (*operation, reason), share in answer.items() if tuple(operation) == RETRY}
    assert found == pytest.approx({"max_attempts": 2 / 6, "deadline": 0, "budget": 0, "non_retryable": 0})


def test_in_flight(scraped: Scraped) -> None:
    """Alone in using File Processing, so that no other test's numbers change."""
    operation = ("timeouts", "File Processing")

    def wait_for(number: int) -> None:
        wait_until(
            lambda: scraped.ask("in flight").get(operation) == number, f"{number} operations are in flight"
        )

    wait_for(0)
    limits = {"name": "File Processing", "duration": 3600.0, "timeout": 3600.0}
    calls = [scraped.service.start_run("timeouts", operations=[limits]) for _ in range(3)]
    wait_for(3)
    for call in calls:
        call.disconnect()
    wait_for(0)


@pytest.mark.parametrize(
    ("selector", "operation"),
    [
        (f'{DURATION}_bucket{{outcome="exhausted"}}', "flaky_api_call"),
        (f'{DURATION}_bucket{{outcome="timeout"}}', "API Call"),
        ('resilience_attempts_total{outcome="error"}', "flaky_api_call"),
        ("resilience_retry_giveups_total", "flaky_api_call"),
        ("resilience_cleanup_duration_seconds_bucket", "long_running_task"),
    ],
)
def test_an_exemplar_leads_from_a_metric_to_its_trace(
    scraped: Scraped, selector: str, operation: str
) -> None:
    """Failing paths above all have exemplars, and /traces knows what they name."""
    stored = scraped.prometheus.exemplars(selector, scraped.started, time.time())
    found = [exemplar["labels"] for labels, exemplar in stored if labels["operation"] == operation]
    assert found
    for labels in found:
        spans = {span.span_id: span for span in from_json(scraped.service.trace(labels["trace_id"]))}
        assert spans[labels["span_id"]].attributes[semconv.OPERATION] == operation


def test_prometheus_takes_every_sample_and_exemplar_as_it_is(scraped: Scraped) -> None:
    """Duplicate series, for example, are dropped with a warning only."""
    assert re.findall(r"(?i)level=(?:warn|error).*scrape.*", scraped.prometheus.log) == []
