"""Set-up and shutdown of a process's telemetry."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

import retryscope
from retryscope import setup, shutdown, step
from retryscope._recording import collector
from retryscope._recording.encoded_export import FastExportProcessor
from retryscope._recording.export import ExportProcessor
from retryscope._recording.telemetry import install
from tests.support.clock import run
from tests.support.otlp_receiver import otlp_receiver
from tests.support.polling import LIMIT
from tests.support.recorded import Recorded, SpanLog
from tests.unit.retryscope.conftest import SETUP, Global
from tests.unit.retryscope.helpers import PRICE, STOCK, value_of


@pytest.fixture(autouse=True)
def api(monkeypatch: pytest.MonkeyPatch, global_provider: Global) -> Iterator[Global]:
    for name in (
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_TRACES_EXPORTER",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ):
        monkeypatch.delenv(name, raising=False)
    yield global_provider
    shutdown()
    install(None)


class FakeOtlp(SpanExporter):
    """In the place of the OTLP exporter."""

    made: "list[FakeOtlp]" = []  # noqa: RUF012 - cleared by the fixture

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.spans: list[str] = []
        self.answer: Callable[[], SpanExportResult] = lambda: SpanExportResult.SUCCESS
        self.made.append(self)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(span.name for span in spans)
        return self.answer()


@pytest.fixture
def otlp(monkeypatch: pytest.MonkeyPatch) -> list[FakeOtlp]:
    """An endpoint is configured, and the SDK records; the exporters that are made."""
    monkeypatch.setenv("RETRYSCOPE_RECORDER", "sdk")
    FakeOtlp.made.clear()
    monkeypatch.setattr(collector, "OTLPSpanExporter", FakeOtlp)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    return FakeOtlp.made


async def _one_span() -> None:
    async with step(PRICE):
        pass


def one_span() -> None:
    run(_one_span())


def resource(provider: trace.TracerProvider) -> dict[str, Any]:
    assert isinstance(provider, TracerProvider)
    return dict(provider.resource.attributes)


def test_by_default_it_makes_the_global_provider(api: Global) -> None:
    """Other instrumentations then record on it too."""
    log = SpanLog()
    retryscope.setup(service_name="shop", registry=CollectorRegistry(), span_processors=[log])
    assert resource(api.provider)["service.name"] == "shop"
    one_span()
    assert [span.name for span in log.ended] == ["task price"]


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "shop"),
        ({"OTEL_SERVICE_NAME": "from-operator"}, "from-operator"),
        ({"OTEL_SERVICE_NAME": ""}, "shop"),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=from-operator,deployment.environment=test"},
            "from-operator",
        ),
    ],
    ids=["nobody", "variable", "empty variable", "resource attributes"],
)
def test_the_operators_service_name_wins_over_the_programs(
    api: Global, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    """``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` are honoured; an empty one is none."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    retryscope.setup(service_name="shop", registry=CollectorRegistry())
    assert resource(api.provider)["service.name"] == name
    if "OTEL_RESOURCE_ATTRIBUTES" in variables:
        assert resource(api.provider)["deployment.environment"] == "test"


def test_the_configured_sampler_is_honoured(api: Global, monkeypatch: pytest.MonkeyPatch) -> None:
    """``OTEL_TRACES_SAMPLER=always_off``: no spans, all counts."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    log, registry = SpanLog(), CollectorRegistry()
    retryscope.setup(registry=registry, span_processors=[log])
    one_span()
    assert log.ended == []
    assert value_of(Recorded(registry), "resilience_operation_duration_seconds_count") == 1


def test_a_second_setup_is_a_clear_error(api: Global) -> None:
    """Two registries or providers at once would be a slip; after a shutdown it may be called again."""
    retryscope.setup(registry=CollectorRegistry())
    with pytest.raises(RuntimeError, match=r"setup\(\) was called before; call shutdown\(\) first"):
        retryscope.setup(registry=CollectorRegistry())
    shutdown()
    shutdown()
    retryscope.setup(registry=CollectorRegistry())


def test_setup_after_a_shutdown_exports_again(api: Global, otlp: list[FakeOtlp]) -> None:
    """The API lets nobody replace the global provider, so the second one is used without being global."""
    for _ in range(3):
        retryscope.setup(registry=CollectorRegistry())
        one_span()
        shutdown()
    assert [each.spans for each in otlp] == [["task price"]] * 3
    assert api.times_set == 1


def test_a_users_own_provider_is_respected(api: Global, otlp: list[FakeOtlp]) -> None:
    """Given or global: spans go there, nothing is added but what was asked for, and it is not shut down."""
    memory = InMemorySpanExporter()
    theirs = TracerProvider(shutdown_on_exit=False)
    theirs.add_span_processor(SimpleSpanProcessor(memory))
    log = SpanLog()
    retryscope.setup(registry=CollectorRegistry(), tracer_provider=theirs, span_processors=[log])
    one_span()
    shutdown()
    api.provider = theirs
    retryscope.setup(registry=CollectorRegistry())
    one_span()
    shutdown()
    theirs.get_tracer("their own").start_span("their own span").end()
    names = ["task price", "task price", "their own span"]
    assert [span.name for span in memory.get_finished_spans()] == names
    assert [span.name for span in log.ended] == names
    assert api.provider is theirs
    assert api.times_set == 0
    assert otlp == []


def test_a_provider_that_takes_no_processors_is_refused_them() -> None:
    """A clear error instead of spans that never arrive; nothing is left half set up."""
    with pytest.raises(TypeError, match="span_processors need an OpenTelemetry SDK TracerProvider, got"):
        retryscope.setup(
            registry=CollectorRegistry(),
            tracer_provider=trace.NoOpTracerProvider(),
            span_processors=[SpanLog()],
        )
    retryscope.setup(registry=CollectorRegistry(), tracer_provider=trace.NoOpTracerProvider())


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_with_an_endpoint_spans_are_exported_there_and_flushed_at_shutdown(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Either variable will do."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    monkeypatch.setenv(variable, "http://collector:4318")
    registry = CollectorRegistry()
    retryscope.setup(registry=registry)
    one_span()
    shutdown()
    assert [each.spans for each in otlp] == [["task price"]]
    assert value_of(Recorded(registry), "resilience_telemetry_dropped_spans_total") == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_EXPORTER", " None "),
    ],
)
def test_without_an_endpoint_or_with_exporter_none_nothing_is_exported(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """No default of localhost: a collector that nobody started would fill the log."""
    monkeypatch.setenv(variable, value)
    retryscope.setup(registry=CollectorRegistry())
    assert otlp == []


def test_an_empty_variable_means_the_same_as_none(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So says OpenTelemetry's specification; a compose file often sets empty ones."""
    for name in (
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_EXPORTER",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BSP_SCHEDULE_DELAY",
    ):
        monkeypatch.setenv(name, "")
    retryscope.setup(registry=CollectorRegistry())
    assert len(otlp) == 1


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "OTEL_TRACES_EXPORTER",
            "zipkin",
            "OTEL_TRACES_EXPORTER must be 'otlp' or 'none' here, got 'zipkin'",
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL must be 'http/protobuf' here"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "grpc",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL must be 'http/protobuf'",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4318",
            "OTEL_EXPORTER_OTLP_ENDPOINT must start with http://",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "grpc://c",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must start with http",
        ),
        (
            "OTEL_BSP_EXPORT_TIMEOUT",
            "soon",
            "OTEL_BSP_EXPORT_TIMEOUT must be a whole number >= 1 .*, got 'soon'",
        ),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "OTEL_BSP_MAX_QUEUE_SIZE must be a whole number >= 1 .*, got '0'"),
        (
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            "many",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE must be a whole number >= 1",
        ),
        ("OTEL_SDK_DISABLED", "1", "OTEL_SDK_DISABLED must be 'true' or 'false', got '1'"),
        ("OTEL_TRACES_EXPORTER", "otlp,console", "OTEL_TRACES_EXPORTER must be 'otlp' or 'none' here"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "OTEL_TRACES_SAMPLER must be one of always_on, .*'sometimes'"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1", "OTEL_TRACES_SAMPLER_ARG is for .*traceidratio"),
        ("OTEL_RESOURCE_ATTRIBUTES", "zone", "OTEL_RESOURCE_ATTRIBUTES must be key=value pairs"),
        ("OTEL_SERVICE_NAME", "a\udcffb", "OTEL_SERVICE_NAME must be printable"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/a b", "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:0", "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:99999", "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c?a=b", "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT must be .* above 0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan", "OTEL_EXPORTER_OTLP_TIMEOUT must be a number, got 'nan'"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "OTEL_EXPORTER_OTLP_TIMEOUT must be .* at most 3600"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "OTEL_EXPORTER_OTLP_COMPRESSION must be 'none', 'gzip'"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere", "OTEL_EXPORTER_OTLP_CERTIFICATE must be a file"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k", "CLIENT_KEY needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere", "CLIENT_CERTIFICATE must be a PEM file"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "9" * 5000, "OTEL_BSP_MAX_QUEUE_SIZE must be a whole number"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "30000", "at most OTEL_BSP_MAX_QUEUE_SIZE, 20000, got 30000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-5", "OTEL_BSP_SCHEDULE_DELAY must be a whole number >= 1 .*, got '-5'"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_with_its_value(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    """At start, not as spans that never arrive; and set-up can be tried again."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=message):
        retryscope.setup(registry=CollectorRegistry())
    monkeypatch.delenv(variable, raising=False)
    retryscope.setup(registry=CollectorRegistry())


@pytest.mark.parametrize(
    "value", ["secret", "a b=secret", "name=secret\u00e9", "name=secret%0d%0ax: y", "=secret"]
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """It is a credential, as a rule."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", value)
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_HEADERS") as refused:
        retryscope.setup(registry=CollectorRegistry())
    assert "secret" not in str(refused.value)


def test_what_was_checked_is_what_the_exporter_gets(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the blanks around it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", " http://collector:4318/ ")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20T, ,x=1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", " 2.5 ")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP")
    retryscope.setup(registry=CollectorRegistry())
    options = otlp[0].options
    assert options["endpoint"] == "http://collector:4318/v1/traces"
    assert options["headers"] == {"authorization": "Bearer T", "x": "1"}
    assert (options["timeout"], options["compression"].value) == (2.5, "gzip")


@pytest.mark.parametrize(("argument", "spans"), [("0", 0), ("1", 1)])
@pytest.mark.parametrize("name", ["traceidratio", "ParentBased_TraceIdRatio"])
def test_a_share_of_the_traces_is_sampled(
    monkeypatch: pytest.MonkeyPatch, name: str, argument: str, spans: int
) -> None:
    """As the variables say."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    log = SpanLog()
    retryscope.setup(registry=CollectorRegistry(), span_processors=[log])
    one_span()
    assert len(log.ended) == spans


@pytest.mark.parametrize("ratio", ["-0.1", "1.5", "nan", "half"])
def test_a_share_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, ratio: str) -> None:
    """The SDK would take all traces."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
    with pytest.raises(ValueError, match="OTEL_TRACES_SAMPLER_ARG must be a number"):
        retryscope.setup(registry=CollectorRegistry())


def test_an_exporter_without_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names it expects spans to go somewhere."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    with pytest.raises(ValueError, match="needs OTEL_EXPORTER_OTLP_ENDPOINT"):
        retryscope.setup(registry=CollectorRegistry())


def test_the_variable_for_traces_wins_over_the_one_for_all_signals(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not used is not complained about."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "HTTPS://collector")
    retryscope.setup(registry=CollectorRegistry())
    assert len(otlp) == 1


def test_queue_and_batch_sizes_come_from_their_variables(
    otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue of 3: of five spans two are dropped and counted in the metric."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "3")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    release = threading.Event()
    registry = CollectorRegistry()
    retryscope.setup(registry=registry)

    def hang() -> SpanExportResult:
        release.wait(LIMIT)
        return SpanExportResult.SUCCESS

    otlp[0].answer = hang
    for _ in range(5):
        one_span()
    release.set()
    shutdown()
    assert value_of(Recorded(registry), "resilience_telemetry_dropped_spans_total", reason="queue_full") == 2
    assert len(otlp[0].spans) == 3


def test_a_shutdown_with_a_hanging_collector_is_bounded(otlp: list[FakeOtlp]) -> None:
    """What was not sent counts as dropped."""
    release = threading.Event()
    registry = CollectorRegistry()
    retryscope.setup(registry=registry)

    def hang() -> SpanExportResult:
        release.wait(LIMIT)
        return SpanExportResult.SUCCESS

    otlp[0].answer = hang
    one_span()
    shutdown(0.05)
    release.set()
    assert (
        value_of(Recorded(registry), "resilience_telemetry_dropped_spans_total", reason="already_shutdown")
        == 1
    )


def test_the_exporters_own_log_lines_come_once(
    otlp: list[FakeOtlp], caplog: pytest.LogCaptureFixture
) -> None:
    """It logs every failed request; the metric counts the rest."""
    retryscope.setup(registry=CollectorRegistry())
    log = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    try:
        for status in (500, 503):
            log.error("Failed to export spans batch code: %s", status)
        log.error("something else")
    finally:
        for each in log.filters[:]:
            log.removeFilter(each)
    assert caplog.messages == ["Failed to export spans batch code: 500", "something else"]


def test_our_own_provider_is_shut_down_with_its_processors(api: Global) -> None:
    """A store of the last traces gets its ``shutdown``."""

    class Store(SpanLog):
        closed = 0

        def shutdown(self) -> None:
            self.closed += 1

    store = Store()
    retryscope.setup(registry=CollectorRegistry(), span_processors=[store])
    shutdown()
    assert store.closed == 1


def test_setup_leaves_the_metrics_of_the_rest_of_the_process_as_they_are() -> None:
    """``_created`` among them, which ours have not."""
    mine = CollectorRegistry()
    Counter("orders", "Mine.", registry=mine).inc()
    Histogram("seconds", "Mine.", registry=mine).observe(1)
    had = generate_latest(mine)
    setup(registry=CollectorRegistry())
    assert generate_latest(mine) == had
    assert b"orders_created" in had


def test_after_shutdown_nothing_of_setup_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter's logger is as it was, however often it was set up."""
    monkeypatch.setenv("RETRYSCOPE_RECORDER", "sdk")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    before = list(logger.filters)
    for _ in range(3):
        setup(registry=CollectorRegistry())
        assert len(logger.filters) == len(before) + 1
        shutdown()
    assert logger.filters == before


SLIPS: dict[str, tuple[dict[str, Any], str]] = {
    "service_name": ({"service_name": 5}, "service_name that is a str, got 5"),
    "registry": ({"registry": None}, "CollectorRegistry as its registry, got None"),
    "tracer_provider": ({"tracer_provider": "sdk"}, "TracerProvider, got 'sdk'"),
    "is_failure": ({"is_failure": "error"}, "a function as its is_failure, got 'error'"),
    "time_ns": ({"time_ns": 5}, "a function as its time_ns, got 5"),
    "one processor": ({"span_processors": SpanLog()}, "a list of span_processors"),
    "no processor": ({"span_processors": ["log"]}, "that are SpanProcessors, got 'log'"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_an_argument_of_another_class_is_refused_before_anything_is_made(
    slip: str, api: Global, otlp: list[FakeOtlp]
) -> None:
    options, says = SLIPS[slip]
    with pytest.raises(TypeError, match=says):
        setup(**options)
    assert (otlp, isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)) == ([], True)


def test_what_raises_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, otlp: list[FakeOtlp]) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "sometimes")
    threads, filters = threading.active_count(), list(logging.getLogger(collector.EXPORTER).filters)
    with pytest.raises(ValueError, match="sometimes"):
        setup(registry=CollectorRegistry())
    assert (threading.active_count(), logging.getLogger(collector.EXPORTER).filters, otlp) == (
        threads,
        filters,
        [],
    )


def test_of_threads_that_call_it_together_one_has_and_the_others_are_told(api: Global) -> None:
    registry, together, told = CollectorRegistry(), threading.Barrier(4), []

    def call() -> None:
        together.wait()
        try:
            setup(registry=registry)
        except RuntimeError as error:
            told.append(str(error))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["retryscope.setup() was called before; call shutdown() first"] * 3


def test_a_status_rule_that_raises_does_not_take_the_place_of_the_callers_error(api: Global) -> None:
    """Ours is used, and it is counted."""
    registry, log = CollectorRegistry(), SpanLog()
    setup(registry=registry, span_processors=[log], is_failure={"success": False}.__getitem__)

    async def main() -> None:
        async with step(PRICE):
            raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        run(main())
    assert [span.status.status_code for span in log.ended] == [trace.StatusCode.ERROR]
    in_flight = {"workflow": "checkout", "operation": "price"}
    assert registry.get_sample_value("resilience_operations_in_flight", in_flight) == 0
    assert registry.get_sample_value("resilience_telemetry_failures_total", {"part": "tracing"}) == 1


@pytest.mark.parametrize("recorder", ["fast", "sdk"])
def test_spans_of_ours_and_of_others_arrive_at_the_collector(
    api: Global, monkeypatch: pytest.MonkeyPatch, recorder: str
) -> None:
    """By one queue, under one resource, with either recorder; the shutdown sends what waits."""
    registry = CollectorRegistry()
    monkeypatch.setenv("RETRYSCOPE_RECORDER", recorder)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        retryscope.setup(service_name="shop", registry=registry)
        with api.provider.get_tracer("others").start_as_current_span("theirs"):
            one_span()
        shutdown()
        spans = {span.name: span for span in receiver.spans()}
        assert receiver.requests == 1
    assert spans["task price"].parent_id == spans["theirs"].span_id
    assert {span.resource["service.name"] for span in spans.values()} == {"shop"}
    assert {span.resource["deployment.environment"] for span in spans.values()} == {"test"}
    assert value_of(Recorded(registry), "resilience_telemetry_dropped_spans_total") == 0


@pytest.mark.parametrize("recorder", ["fast", "sdk"])
def test_of_plain_successes_as_many_are_exported_as_is_asked_for(
    recorder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed is; metrics and processors of one's own have all."""
    monkeypatch.setenv("RETRYSCOPE_RECORDER", recorder)
    registry, log = CollectorRegistry(), SpanLog()

    async def failing() -> None:
        async with step(STOCK):
            await _one_span()
            raise OSError("no answer")

    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        retryscope.setup(registry=registry, span_processors=[log], keep_successes=0)
        one_span()
        with pytest.raises(OSError, match="no answer"):
            run(failing())
        shutdown()
        assert sorted(span.name for span in receiver.spans()) == ["task price", "task stock"]
    recorded = Recorded(registry)
    assert len(log.ended) == 3
    assert value_of(recorded, "resilience_operation_duration_seconds_count", operation="price") == 2
    assert value_of(recorded, "resilience_telemetry_left_out_spans_total") == 1
    assert value_of(recorded, "resilience_telemetry_dropped_spans_total") == 0


def test_a_provider_that_exports_by_itself_is_not_asked_to_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would export all, and nobody would know why."""
    monkeypatch.setenv("RETRYSCOPE_KEEP_SUCCESSES", "0.5")
    with pytest.raises(ValueError, match=r"RETRYSCOPE_KEEP_SUCCESSES\) is 0.5, which needs the provider"):
        retryscope.setup(registry=CollectorRegistry(), tracer_provider=TracerProvider(shutdown_on_exit=False))


def test_where_all_is_kept_there_is_nothing_before_the_exporter(
    api: Global, otlp: list[FakeOtlp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs nothing, then."""
    monkeypatch.setenv("RETRYSCOPE_KEEP_SUCCESSES", "0.5")
    retryscope.setup(registry=CollectorRegistry(), keep_successes=1)
    assert isinstance(SETUP._installed.exporter, ExportProcessor)


def test_a_collector_that_refuses_is_counted_with_the_faster_recorder_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And named once."""
    registry = CollectorRegistry()
    monkeypatch.setenv("RETRYSCOPE_RECORDER", "fast")
    with otlp_receiver() as receiver:
        receiver.status = 400
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        retryscope.setup(registry=registry)
        one_span()
        shutdown()
    assert (
        value_of(Recorded(registry), "resilience_telemetry_dropped_spans_total", reason="export_failed") == 1
    )
    assert caplog.messages[0] == "the collector has not taken a request: status 400"


def test_queue_batches_and_delay_of_the_faster_export_come_from_the_same_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batches of their own default."""
    made: list[dict[str, int]] = []

    class Noted(FastExportProcessor):
        def __init__(self, sender: Any, on_drop: Any, **options: int) -> None:
            made.append(options)
            super().__init__(sender, on_drop, **options)

    monkeypatch.setattr(collector, "FastExportProcessor", Noted)
    monkeypatch.setenv("RETRYSCOPE_RECORDER", "fast")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    retryscope.setup(registry=CollectorRegistry())
    shutdown()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "300")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    retryscope.setup(registry=CollectorRegistry())
    assert made == [
        {"queue_size": 20_000, "batch_size": 2_048, "schedule_delay_millis": 1_000},
        {"queue_size": 300, "batch_size": 300, "schedule_delay_millis": 50},
    ]
