"""Metrics: exemplars on failing paths, every label set at zero, a bound on cardinality."""

import asyncio
import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.samples import Exemplar

import retryscope
from retryscope import (
    Operation,
    RetryPolicy,
    cleanup,
    request_cancel,
    retry,
    semconv,
    step,
    timeout,
    workflow,
)
from retryscope._recording.telemetry import active
from retryscope.metrics import MAX_ERROR_TYPES, SERIES_PER_OPERATION, metrics_for
from retryscope.outcome import ATTEMPT_OUTCOMES, CANCEL_CAUSES, CLEANUP_OUTCOMES, GIVEUP_REASONS, OUTCOMES
from tests.support.clock import run
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import (
    PRICE,
    STOCK,
    Script,
    failer,
    openmetrics,
    openmetrics_families,
    sleeper,
    span_id,
    trace_id,
    value_of,
)


def exemplars(recorded: Recorded) -> list[tuple[str, dict[str, str], Exemplar]]:
    """Every exemplar of the OpenMetrics text, with its sample."""
    return [
        (sample.name, sample.labels, sample.exemplar)
        for family in openmetrics_families(recorded)
        for sample in family.samples
        if sample.exemplar is not None
    ]


async def everything_fails() -> None:
    """One of each failing path."""
    with pytest.raises(ConnectionError):
        await retry(PRICE, RetryPolicy(max_attempts=2, base_delay=1)).call(failer(ConnectionError()))
    with pytest.raises(KeyError):
        await retry(PRICE, RetryPolicy(retry_on=(ConnectionError,))).call(failer(KeyError()))
    with pytest.raises(TimeoutError):
        async with timeout(PRICE, 1):
            await asyncio.sleep(60)
    await cleanup(PRICE, failer(ConnectionError()))
    await cleanup(PRICE, sleeper(60), timeout=1)
    with pytest.raises(TimeoutError):
        async with workflow("checkout", deadline=1):
            await asyncio.sleep(60)
    running = asyncio.create_task(retry(PRICE).call(sleeper(60)))
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait([running])


def test_exemplars_are_on_every_failing_path_and_lead_to_the_failing_span(recorded: Recorded) -> None:
    """Parsed from what a scrape gets: a trace id and a span id that exist, within 128 characters."""
    run(everything_fails())
    found = exemplars(recorded)
    families = {(name, labels.get("outcome"), labels.get("reason")) for name, labels, _ in found}
    assert families == {
        ("resilience_operation_duration_seconds_bucket", "exhausted", None),
        ("resilience_operation_duration_seconds_bucket", "error", None),
        ("resilience_operation_duration_seconds_bucket", "timeout", None),
        ("resilience_operation_duration_seconds_bucket", "cancelled", None),
        ("resilience_attempts_total", "error", None),
        ("resilience_attempts_total", "timeout", None),
        ("resilience_attempts_total", "cancelled", None),
        ("resilience_attempt_duration_seconds_bucket", "error", None),
        ("resilience_attempt_duration_seconds_bucket", "timeout", None),
        ("resilience_attempt_duration_seconds_bucket", "cancelled", None),
        ("resilience_retry_giveups_total", None, "max_attempts"),
        ("resilience_retry_giveups_total", None, "non_retryable"),
        ("resilience_cleanup_duration_seconds_bucket", "failed", None),
        ("resilience_cleanup_duration_seconds_bucket", "timed_out", None),
        ("resilience_workflow_duration_seconds_bucket", "timeout", None),
    }
    spans = {span_id(span): span for span in recorded.spans()}
    for name, _, exemplar in found:
        assert set(exemplar.labels) == {"trace_id", "span_id"}
        assert sum(len(key) + len(value) for key, value in exemplar.labels.items()) < 128
        span = spans[exemplar.labels["span_id"]]
        assert trace_id(span) == exemplar.labels["trace_id"]
        if name.startswith("resilience_attempt"):
            assert span.name in ("attempt price", "timeout price")


def test_a_successful_attempt_has_no_exemplar_but_its_operation_has_one(recorded: Recorded) -> None:
    """Exemplars of successes on the counter would only displace what matters."""
    run(retry(PRICE).call(Script("done")))
    assert [name for name, _, _ in exemplars(recorded)] == ["resilience_operation_duration_seconds_bucket"]


def test_a_span_that_is_not_sampled_gives_no_exemplar() -> None:
    """It would lead nowhere; the metrics count all the same."""
    registry = CollectorRegistry()
    retryscope.setup(
        registry=registry, tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    )
    recorded = Recorded(registry)
    try:
        run(everything_fails())
    finally:
        retryscope.shutdown()
    assert exemplars(recorded) == []
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 4


def test_every_label_set_exists_at_declaration_with_value_0(recorded: Recorded) -> None:
    """So that ``rate()`` sees the first increment of anything that can be foreseen."""
    Operation("ship", workflow="delivery", error_types=("CarrierError",))
    labels = {"workflow": "delivery", "operation": "ship"}
    samples = recorded.samples()

    def has(name: str, **more: str) -> bool:
        return samples.get((name, tuple(sorted({**labels, **more}.items())))) == 0.0

    for outcome in OUTCOMES:
        assert has("resilience_operation_duration_seconds_count", outcome=outcome)
        assert has("resilience_operation_attempts_count", outcome=outcome)
        of_workflow = (("outcome", outcome), ("workflow", "delivery"))
        assert samples["resilience_workflow_duration_seconds_count", of_workflow] == 0
    assert set(ATTEMPT_OUTCOMES) == {"success", "error", "timeout", "cancelled"}
    kinds = [
        ("success", ""),
        ("cancelled", ""),
        ("timeout", "timeout"),
        ("error", "_OTHER"),
        ("error", "CarrierError"),
    ]
    for ended_as, error_type in kinds:
        assert has("resilience_attempts_total", outcome=ended_as, error_type=error_type)
    for ended_as in ATTEMPT_OUTCOMES:
        assert has("resilience_attempt_duration_seconds_count", outcome=ended_as)
    for reason in GIVEUP_REASONS:
        assert has("resilience_retry_giveups_total", reason=reason)
    for cause in CANCEL_CAUSES:
        assert has("resilience_cancellations_total", cause=cause)
    for cleaned in CLEANUP_OUTCOMES:
        assert has("resilience_cleanup_duration_seconds_count", outcome=cleaned)
    assert has("resilience_backoff_duration_seconds_count")
    assert has("resilience_operations_in_flight")
    for label in ("operation", "workflow", "error_type"):
        assert samples["resilience_telemetry_folded_labels_total", (("label", label),)] == 0
    for lost in ("queue_full", "export_failed", "already_shutdown"):
        assert samples["resilience_telemetry_dropped_spans_total", (("reason", lost),)] == 0
    for unlabelled in ("left_out_spans", "early_decisions"):
        assert samples[f"resilience_telemetry_{unlabelled}_total", ()] == 0
    for part in ("tracing",):
        assert samples["resilience_telemetry_failures_total", (("part", part),)] == 0


def test_the_ninth_error_type_of_an_operation_is_folded(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Eight have their own series, the rest is ``_OTHER``; each fold counts, one is logged."""
    caplog.set_level(logging.WARNING)

    async def main() -> None:
        for number in range(11):
            error = type(f"Error{number}", (Exception,), {})()
            with pytest.raises(type(error)):
                async with step(PRICE):
                    raise error

    run(main())
    counted = {
        dict(labels)["error_type"]: value
        for (name, labels), value in recorded.samples().items()
        if name == "resilience_attempts_total" and value
    }
    assert counted == {**{f"Error{number}": 1.0 for number in range(MAX_ERROR_TYPES)}, "_OTHER": 3.0}
    assert value_of(recorded, "resilience_telemetry_folded_labels_total", label="error_type") == 3
    assert [message for message in caplog.messages if "_OTHER" in message] != []
    assert len([message for message in caplog.messages if "_OTHER" in message]) == 1


def test_declared_error_types_count_towards_the_eight_and_own_timeouts_do_not(recorded: Recorded) -> None:
    """The bound is per operation, whoever names the types."""
    ship = Operation("ship", workflow="delivery", error_types=tuple(f"Declared{n}" for n in range(20)))

    async def main() -> None:
        with pytest.raises(ConnectionError):
            async with step(ship):
                raise ConnectionError
        with pytest.raises(TimeoutError):
            async with timeout(ship, 1):
                await asyncio.sleep(60)

    run(main())
    assert value_of(recorded, "resilience_attempts_total", operation="ship", error_type="_OTHER") == 1
    assert value_of(recorded, "resilience_attempts_total", operation="ship", error_type="timeout") == 1
    types = {
        dict(labels)["error_type"]
        for (name, labels) in recorded.samples()
        if name == "resilience_attempts_total" and dict(labels)["operation"] == "ship"
    }
    assert len(types - {"", "timeout", "_OTHER"}) == MAX_ERROR_TYPES


def test_the_bound_on_series_that_is_printed_is_a_true_bound_and_tight(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Drive one operation to every label set there is: exactly as many series as the bound says."""
    caplog.set_level(logging.INFO, "retryscope")
    with recording() as recorded:
        before = active().metrics.series_bound()
        assert f"the declared operations have at most {before} series" in caplog.text
        ship = Operation("ship", workflow="delivery")
        bound = active().metrics.series_bound() - before
        for number in range(MAX_ERROR_TYPES + 3):
            error = type(f"Error{number}", (Exception,), {})()
            with pytest.raises(type(error)):
                run(retry(ship, RetryPolicy(max_attempts=1)).call(failer(error)))
        series = [
            1
            for family in recorded.registry.collect()
            for sample in family.samples
            if sample.labels.get("operation") == "ship"
        ]
        assert len(series) == bound == SERIES_PER_OPERATION
        assert f"series, {bound} each" in caplog.text


def test_no_created_series_double_the_count(recorded: Recorded) -> None:
    """Neither in OpenMetrics nor in the text format."""
    run(task_once())
    assert "_created" not in openmetrics(recorded)
    assert "_created" not in generate_latest(recorded.registry).decode()


async def task_once() -> None:
    async with step(PRICE):
        pass


def test_a_registry_keeps_its_metrics_over_a_second_setup() -> None:
    """A family can be registered only once; counts go on."""
    registry = CollectorRegistry()
    for expected in (1, 2):
        retryscope.setup(registry=registry, tracer_provider=TracerProvider(shutdown_on_exit=False))
        run(task_once())
        retryscope.shutdown()
        assert value_of(Recorded(registry), "resilience_operation_duration_seconds_count") == expected
    assert metrics_for(registry) is metrics_for(registry)


def test_cancellations_count_once_per_operation(recorded: Recorded) -> None:
    """Not once per span: the attempt, and a timeout of the same operation in it, are part of it."""

    async def limited() -> None:
        async with timeout(PRICE, 40):
            await asyncio.sleep(60)

    async def main() -> None:
        running = asyncio.create_task(retry(PRICE, RetryPolicy(attempt_timeout=50)).call(limited))
        await asyncio.sleep(1)
        request_cancel(running, "shutdown")
        await asyncio.wait([running])

    run(main())
    assert value_of(recorded, "resilience_cancellations_total") == 1
    assert value_of(recorded, "resilience_attempts_total", outcome="cancelled") == 1


def test_an_unknown_reason_or_label_is_a_bug_and_not_a_new_series() -> None:
    """Bounded sets are written down, not grown."""
    metrics = metrics_for(CollectorRegistry())
    with pytest.raises(KeyError):
        metrics.dropped("bad luck", 1)
    with pytest.raises(KeyError):
        metrics.folded("trace_id")


def test_durations_fall_into_the_buckets_of_the_table(recorded: Recorded) -> None:
    """Seconds."""

    async def main() -> None:
        for seconds in (0.004, 0.2, 60.0, 61.0):
            async with step(STOCK):
                await asyncio.sleep(seconds)

    run(main())
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in recorded.samples().items()
        if name == "resilience_operation_duration_seconds_bucket"
        and {("operation", "stock"), ("outcome", "success")} <= set(labels)
    }
    assert [buckets[le] for le in ("0.005", "0.1", "0.25", "30.0", "60.0", "+Inf")] == [1, 1, 2, 2, 3, 4]
    assert len(buckets) == len(semconv.DURATION_BUCKETS) + 1
