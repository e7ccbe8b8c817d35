"""The running service exports over OTLP/HTTP what /traces shows, as the OTEL_* variables say."""

import json
import re

import pytest

from tests.integration.conftest import StartService
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.process import Service, serve_in_vain, traceparent
from tests.support.spans import SpanData, from_json, one, outline

SERVER = "POST /workflows/{workflow}"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}

INTERNAL_KIND, SERVER_KIND = 1, 2
UNSET, ERROR = 0, 2


def by_id(spans: list[SpanData]) -> dict[str, SpanData]:
    """The spans by their ids, each there once."""
    found = {span.span_id: span for span in spans}
    assert len(found) == len(spans)
    return found


def exported_trace(service: Service, collector: OtlpReceiver, trace_id: str) -> list[SpanData]:
    """A trace as the collector got it, which is the same as what /traces shows."""
    collector.wait_for(SERVER, trace_id)  # ends last; the others were queued before it
    exported, shown = collector.trace(trace_id), list(from_json(service.trace(trace_id)))
    assert by_id(exported) == by_id(shown)
    assert all(span.end >= span.start > 0 for span in exported)
    return exported


@pytest.fixture
def exporting(collector: OtlpReceiver, start_service: StartService) -> Service:
    """A service that exports to the collector."""
    return start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="50")


FAST = {"time_scale": 0.01}
TREES: dict[str, tuple[dict[str, object], list[str]]] = {
    "sequential": (
        {"tasks": 3, "failure_rate": 1},
        [SERVER, "  workflow sequential", *["    task risky_task"] * 3],
    ),
    "concurrent": (
        {"tasks": 2, "failure_rate": 0},
        [
            SERVER,
            "  workflow concurrent",
            "    gather risky_task",
            *["      task risky_task"] * 2,
            *["    task process_success"] * 2,
        ],
    ),
    "cancellation": (
        {"durations": [0, 3600], "cancel_after": 5.0, "cleanup": 1},
        [
            SERVER,
            "  workflow cancellation",
            *["    task long_running_task"] * 2,
            "      cleanup long_running_task",
        ],
    ),
    "timeouts": (
        {
            "operations": [
                {"name": "API Call", "duration": 3600.0, "timeout": 1},
                {"name": "mine", "duration": 0, "timeout": 3600.0},
            ]
        },
        [SERVER, "  workflow timeouts", "    timeout API Call", "    timeout _OTHER"],
    ),
    "retry": (
        {"failure_rate": 1, "max_retries": 2},
        [
            SERVER,
            "  workflow retry",
            "    retry flaky_api_call",
            "      attempt flaky_api_call",
            "      backoff flaky_api_call",
            "      attempt flaky_api_call",
            "      backoff flaky_api_call",
            "      attempt flaky_api_call",
        ],
    ),
}


def test_each_workflow_arrives_as_the_tree_that_traces_shows(
    exporting: Service, collector: OtlpReceiver
) -> None:
    for workflow, (params, tree) in TREES.items():
        answer = exporting.run(workflow, **FAST, **params)
        spans = exported_trace(exporting, collector, answer.body["trace_id"])
        assert outline(spans) == tree
        assert answer.headers["X-Trace-Id"] == answer.body["trace_id"]


def test_kinds_status_attributes_events_and_links_arrive(exporting: Service, collector: OtlpReceiver) -> None:
    exhausted = exporting.run("retry", failure_rate=1, max_retries=1, **FAST).body["trace_id"]
    cancelled = exporting.run("cancellation", durations=[3600.0], cancel_after=1, **FAST).body["trace_id"]

    spans = exported_trace(exporting, collector, exhausted)
    assert {span.kind for span in spans} == {INTERNAL_KIND, SERVER_KIND}
    assert {span.scope for span in spans} == {"retryscope.instrumentation"}
    server, retry = one(spans, SERVER), one(spans, "retry flaky_api_call")
    assert (server.kind, server.status, server.parent_id) == (SERVER_KIND, ERROR, "")
    assert server.attributes["http.response.status_code"] == 502
    assert (retry.status, retry.description) == (ERROR, "API temporarily unavailable")
    assert retry.attributes["resilience.outcome"] == "exhausted"
    assert retry.attributes["resilience.retry.attempts"] == 2
    assert [event.name for event in retry.events] == ["resilience.retry.scheduled"]
    last = max((span for span in spans if span.name.startswith("attempt")), key=lambda span: span.start)
    (exception,) = last.events
    assert exception.attributes["exception.message"] == "API temporarily unavailable"
    assert "Traceback" in str(exception.attributes["exception.stacktrace"])

    spans = exported_trace(exporting, collector, cancelled)
    task = one(spans, "task long_running_task")
    assert (task.status, task.attributes["resilience.outcome"]) == (UNSET, "cancelled")
    assert task.attributes["resilience.cancel.cause"] == "request"
    (link,) = one(spans, "cleanup long_running_task").links
    assert link.attributes == {"resilience.link.kind": "cancelled_by"}
    assert link.span_id == one(spans, "workflow cancellation").span_id


def test_a_trace_that_comes_in_goes_on(exporting: Service, collector: OtlpReceiver) -> None:
    call = exporting.start_traced_run(TRACE_ID, "timeouts", **FAST)
    assert call.answer().body["trace_id"] == TRACE_ID
    server = one(exported_trace(exporting, collector, TRACE_ID), SERVER)
    assert server.parent_id == "00f067aa0ba902b7"


def test_the_traces_specific_endpoint_is_taken_as_it_is(
    collector: OtlpReceiver, start_service: StartService
) -> None:
    service = start_service(
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_BSP_SCHEDULE_DELAY="50",
    )
    exported_trace(service, collector, service.run("timeouts", **FAST).body["trace_id"])


@pytest.mark.parametrize(
    ("variables", "name", "further"),
    [
        ({}, "retryscope", {}),
        ({"OTEL_SERVICE_NAME": "shop"}, "shop", {}),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=cart,deployment.environment.name=test"},
            "cart",
            {"deployment.environment.name": "test"},
        ),
        (
            {"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=cart,team=a"},
            "shop",
            {"team": "a"},
        ),
    ],
)
def test_the_resource_is_what_the_environment_says(
    collector: OtlpReceiver,
    start_service: StartService,
    variables: dict[str, str],
    name: str,
    further: dict[str, str],
) -> None:
    service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **variables)
    trace_id = service.run("timeouts", **FAST).body["trace_id"]
    service.stop()
    spans = collector.trace(trace_id)
    assert outline(spans)[0] == SERVER
    for span in spans:
        assert span.resource.items() >= {"service.name": name, **further}.items()
        assert span.resource["telemetry.sdk.language"] == "python"
    assert {line["service.name"] for line in service.logs} == {name}


def test_nothing_is_exported_without_an_endpoint(start_service: StartService) -> None:
    """Somebody else's collector on the default port gets nothing unasked."""
    service = start_service(OTEL_BSP_SCHEDULE_DELAY="10")
    trace_id = service.run("timeouts", **FAST).body["trace_id"]
    assert list(from_json(service.trace(trace_id)))
    service.stop()
    assert service.messages("WARNING") == []


def failing_run(service: Service) -> dict[str, object]:
    """A run whose metrics have exemplars where spans are sampled; its metrics are checked."""
    body: dict[str, object] = service.run("retry", failure_rate=1, max_retries=1, **FAST).body
    assert body["outcome"] == "exhausted"
    operations = {"workflow": "retry", "operation": "flaky_api_call"}
    assert service.metric("resilience_attempts_total", **operations) == 2
    assert service.metric("resilience_operation_duration_seconds_count", **operations) == 1
    assert service.metric("resilience_retry_giveups_total", **operations) == 1
    return body


def has_exemplars(service: Service) -> bool:
    return " # {" in service.get("/metrics", OPENMETRICS).body


def test_always_off_sends_nothing_and_leaves_the_metrics(
    collector: OtlpReceiver, start_service: StartService
) -> None:
    service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_SAMPLER="always_off")
    failing_run(service)
    assert not has_exemplars(service)
    assert service.get("/traces").body == {"resourceSpans": []}
    service.stop()
    assert collector.requests == 0


def test_sampled_spans_do_give_exemplars(exporting: Service) -> None:
    """The other half of the test above."""
    body = failing_run(exporting)
    assert has_exemplars(exporting)
    named = set(re.findall(r'trace_id="([0-9a-f]{32})"', exporting.get("/metrics", OPENMETRICS).body))
    assert named == {body["trace_id"]}


@pytest.mark.parametrize("ratio", [0, 1])
def test_a_ratio_sampler_follows_its_parent_and_else_the_ratio(
    collector: OtlpReceiver, start_service: StartService, ratio: int
) -> None:
    service = start_service(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG=str(ratio),
    )
    wanted, unwanted, own = TRACE_ID, TRACE_ID[::-1], service.run("timeouts", **FAST).body["trace_id"]
    for trace_id, sampled in ((wanted, True), (unwanted, False)):
        headers = traceparent(trace_id, sampled=sampled)
        assert service.call("POST", "/workflows/timeouts", FAST, headers).answer().status == 200
    service.stop()
    assert {span.trace_id for span in collector.spans()} == ({wanted, own} if ratio else {wanted})


def test_a_disabled_sdk_leaves_workflows_and_metrics(
    collector: OtlpReceiver, start_service: StartService
) -> None:
    service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SDK_DISABLED="true")
    assert failing_run(service)["trace_id"] is None
    assert not has_exemplars(service)
    assert service.get("/traces").body == {"resourceSpans": []}
    for workflow, (params, _) in TREES.items():
        answer = service.run(workflow, **FAST, **params)
        assert answer.body["trace_id"] is None
        assert "X-Trace-Id" not in answer.headers
    service.stop()
    assert collector.requests == 0
    assert not any("trace_id" in line for line in service.logs)


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL.*http/protobuf.*'grpc'"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL.*'http/json'",
        ),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER.*'otlp' or 'none'.*'zipkin'"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "OTEL_BSP_MAX_QUEUE_SIZE.*>= 1.*'0'"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "many"}, "OTEL_BSP_MAX_QUEUE_SIZE.*'many'"),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "-1"}, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE.*'-1'"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "1.5"}, "OTEL_BSP_SCHEDULE_DELAY.*'1.5'"),
        ({"OTEL_BSP_EXPORT_TIMEOUT": "soon"}, "OTEL_BSP_EXPORT_TIMEOUT.*'soon'"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
            "OTEL_EXPORTER_OTLP_ENDPOINT.*http://.*'collector:4318'",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "ftp://x"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.*'ftp://x'"),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "few"}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT.*few"),
        ({"OTEL_PROPAGATORS": "telepathy"}, "[Pp]ropagator telepathy"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT.*'soon'"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}, "OTEL_EXPORTER_OTLP_COMPRESSION.*'zip'"),
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, "OTEL_TRACES_SAMPLER.*'sometimes'"),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"},
            "OTEL_TRACES_SAMPLER_ARG.*'2'",
        ),
    ],
)
def test_a_value_that_cannot_be_used_ends_the_service_with_a_clear_message(
    variables: dict[str, str], said: str
) -> None:
    ended = serve_in_vain("--port", "0", **{**ENDPOINT, **variables})
    assert ended.status == 2
    assert re.search(said, ended.stderr), ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr + ended.stdout
    for line in ended.stdout.splitlines():
        json.loads(line)
