"""``/traces``: the last traces, bounded, also while they run."""

import asyncio
import re
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from retryscope_service.console.console import Console
from retryscope_service.traces.span_store import MAX_UNSAMPLED, SpanStore
from tests.support.recorded import recording
from tests.unit.retryscope_service.helpers import Api, serving


def spans_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The spans of an OTLP JSON document."""
    return [
        span
        for resource in document["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


async def test_nothing_has_run_yet(api: Api) -> None:
    """An empty list, which is still an OTLP document."""
    assert (await api.get("/traces")).json() == {"resourceSpans": []}


async def test_the_trace_of_an_answer_has_the_tree(api: Api) -> None:
    """Names and parents; ids are hexadecimal, in any case of the letters asked for."""
    trace_id = (await api.run("retry", failure_rate=0)).json()["trace_id"]
    answer = await api.get(f"/traces/{trace_id}")
    spans = spans_of(answer.json())
    names = {span["spanId"]: span["name"] for span in spans}
    assert [(span["name"], names.get(span.get("parentSpanId"))) for span in spans] == [
        ("POST /workflows/{workflow}", None),
        ("workflow retry", "POST /workflows/{workflow}"),
        ("retry flaky_api_call", "workflow retry"),
        ("attempt flaky_api_call", "retry flaky_api_call"),
    ]
    assert {span["traceId"] for span in spans} == {trace_id}
    assert all(re.fullmatch("[0-9a-f]{16}", span["spanId"]) for span in spans)
    assert (await api.get(f"/traces/{trace_id.upper()}")).json() == answer.json()


async def test_a_running_trace_can_be_seen(api: Api) -> None:
    """What has ended has an end, what runs has none yet."""
    running = asyncio.create_task(api.run("sequential", failure_rate=0, tasks=2))
    await asyncio.sleep(0.7)
    (trace_id,) = {span["traceId"] for span in spans_of((await api.get("/traces")).json())}
    spans = spans_of((await api.get(f"/traces/{trace_id}")).json())
    assert [(span["name"], "endTimeUnixNano" in span) for span in spans] == [
        ("POST /workflows/{workflow}", False),
        ("workflow sequential", False),
        ("task risky_task", True),
        ("task risky_task", False),
    ]
    assert (await running).json()["trace_id"] == trace_id
    spans = spans_of((await api.get(f"/traces/{trace_id}")).json())
    assert all("endTimeUnixNano" in span for span in spans)


async def test_the_newest_trace_comes_first(api: Api) -> None:
    """Within it the spans stay in the order of their starts."""
    ids = [(await api.run("retry", failure_rate=0)).json()["trace_id"] for _ in range(3)]
    spans = spans_of((await api.get("/traces?limit=2")).json())
    assert [span["traceId"] for span in spans if "parentSpanId" not in span] == [ids[2], ids[1]]


@pytest.mark.parametrize(("query", "traces"), [("", 20), ("?limit=1", 1), ("?limit=100", 100)])
async def test_the_limit(api: Api, query: str, traces: int) -> None:
    """20 unless told, 100 at most."""
    for _ in range(101):
        await api.run("unknown")
    assert len(spans_of((await api.get(f"/traces{query}")).json())) == traces


@pytest.mark.parametrize(
    "limit", ["0", "101", "-1", "1.5", "ten", "", "%20", "1e1", "٣", "9" * 5000, "+5", "0x10", "%00", "NaN"]
)
async def test_a_wrong_limit_is_refused(api: Api, limit: str) -> None:
    """422 with field, value and bound."""
    answer = await api.get(f"/traces?limit={limit}")
    (error,) = answer.json()["errors"]
    assert answer.status == 422
    assert error["field"] == "limit"
    assert error["bound"] == "a whole number from 1 to 100"
    assert len(error["value"]) <= 100


@pytest.mark.parametrize("trace_id", ["1", "g" * 32, "0" * 31, "0" * 33, "0x" + "0" * 30, "٣" * 32])
async def test_what_is_no_trace_id_is_refused(api: Api, trace_id: str) -> None:
    """422 with field, value and bound."""
    answer = await api.get(f"/traces/{trace_id}")
    (error,) = answer.json()["errors"]
    assert (answer.status, error["field"], error["value"]) == (422, "trace_id", trace_id)
    assert error["bound"] == "32 hexadecimal digits"


async def test_a_trace_that_is_not_here(api: Api) -> None:
    """404, and why that may be."""
    answer = await api.get(f"/traces/{'a' * 32}")
    assert (answer.status, answer.json()["type"]) == (404, "urn:retryscope:problem:unknown-trace")
    assert "a" * 32 in answer.json()["detail"]


async def test_a_trace_that_was_not_sampled(console: Console) -> None:
    """The answer named it all the same: logs do too."""
    with recording(sampler=ALWAYS_OFF, span_processors=[console.feed]) as recorded:
        async with serving(recorded, console) as api:
            answer = await api.run("retry", failure_rate=0)
            trace_id = answer.headers["X-Trace-Id"]
            for path in (
                f"/traces/{trace_id}",
                f"/traces/{trace_id}?format=text",
                f"/console/traces/{trace_id}",
            ):
                problem = await api.get(path)
                assert (problem.status, problem.json()["type"]) == (
                    404,
                    "urn:retryscope:problem:trace-not-sampled",
                )
                assert f"{trace_id} was not sampled" in problem.json()["detail"]


async def test_a_trace_that_its_caller_did_not_sample(api: Api) -> None:
    """Though the service would have."""
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-00"}
    answer = await api.call("POST", "/workflows/retry", {"failure_rate": 0}, headers=headers)
    assert answer.headers["X-Trace-Id"] == trace_id
    assert (await api.get(f"/traces/{trace_id}")).json()["title"] == "Trace not sampled"


def test_of_traces_that_were_not_sampled_the_last_are_remembered() -> None:
    store = SpanStore(max_traces=1, max_spans=1)
    for trace_id in range(MAX_UNSAMPLED + 1):
        store.note_unsampled(trace_id)
    assert [store.was_unsampled(each) for each in (0, 1, MAX_UNSAMPLED)] == [False, True, True]


async def test_a_trace_as_text(api: Api) -> None:
    """A waterfall for the terminal."""
    trace_id = (await api.run("retry", seed=8)).json()["trace_id"]
    answer = await api.get(f"/traces/{trace_id}?format=text")
    assert (answer.status, answer.content_type) == (200, "text/plain")
    assert "attempt flaky_api_call #4  success\n" in answer.text


@pytest.mark.parametrize("form", ["xml", "", "JSON"])
async def test_another_format_is_refused(api: Api, form: str) -> None:
    """422 with field, value and bound."""
    answer = await api.get(f"/traces/{'a' * 32}?format={form}")
    (error,) = answer.json()["errors"]
    assert (answer.status, error["field"], error["value"]) == (422, "format", form)
    assert error["bound"] == "json or text"


async def test_looking_at_it_adds_nothing_to_it() -> None:
    """Scrapes, health checks and the traces themselves would push out what /traces is for."""
    console = Console(SpanStore(max_traces=1, max_spans=100))
    with recording(span_processors=[console.feed]) as recorded:
        async with serving(recorded, console) as api:
            trace_id = (await api.run("retry", failure_rate=0)).json()["trace_id"]
            for path in (
                "/alerts",
                "/console/snapshot",
                "/metrics",
                "/health/live",
                "/openapi.json",
                "/traces",
            ):
                assert (await api.get(path)).status == 200
            for page in ("/", "/docs", "/docs/runbook"):
                assert (await api.get(page)).status == 200
            assert (await api.get(f"/traces/{trace_id}")).status == 200
            assert (await api.get(f"/console/traces/{trace_id}")).status == 200
            async with api.client.get("/console/stream") as stream:
                assert (await stream.content.readline()).startswith(b"id: ")
            assert (await api.get("/assets/none.js")).status == 404
            assert (await api.get(f"/traces/{trace_id}")).status == 200


async def test_the_oldest_trace_makes_room_and_is_then_unknown() -> None:
    """RETRYSCOPE_MAX_TRACES of them are remembered."""
    console = Console(SpanStore(max_traces=2, max_spans=100))
    with recording(span_processors=[console.feed]) as recorded:
        async with serving(recorded, console) as api:
            ids = [(await api.run("retry", failure_rate=0)).json()["trace_id"] for _ in range(3)]
            assert [(await api.get(f"/traces/{each}")).status for each in ids] == [404, 200, 200]


@pytest.mark.parametrize("path", ["/traces/{}", "/traces/{}?format=text", "/console/traces/{}"])
async def test_a_trace_that_was_opened_and_one_with_a_failed_task_stay(path: str) -> None:
    """Though the run said success, and successes came after it."""
    console = Console(SpanStore(max_traces=3, max_spans=100))
    with recording(span_processors=[console.feed]) as recorded:
        async with serving(recorded, console) as api:
            failed = await api.run("sequential", tasks=2, failure_rate=1)
            opened = await api.run("sequential", tasks=1, failure_rate=0)
            kept = [each.json()["trace_id"] for each in (failed, opened)]
            assert (await api.get(path.format(kept[1]))).status == 200
            others = [
                (await api.run("sequential", tasks=1, failure_rate=0)).json()["trace_id"] for _ in range(5)
            ]
            assert failed.json()["outcome"] == "success"
            assert [trace for trace in (*kept, *others) if int(trace, 16) in console.spans] == [
                *kept,
                others[-1],
            ]
