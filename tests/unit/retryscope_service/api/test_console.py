"""``/console``: the snapshot, the stream of changes after it, and one trace, read as the page reads them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientResponse

from retryscope import semconv
from retryscope_service.api import console as console_api
from retryscope_service.console import stream
from retryscope_service.console.changes import BATCH_SECONDS
from retryscope_service.console.console import Console
from retryscope_service.traces import span_store
from retryscope_service.workflows import WORKFLOWS
from tests.support.clock import EPOCH_NS
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.helpers import Api, check_event, serving
from tests.unit.retryscope_service.traces.spans import start, trace_of, tracer_into

TOKEN = "a-token-of-tests-1"  # noqa: S105


@dataclass
class Page:
    """What a page does with the stream: it keeps the last version of each run and span."""

    response: ClientResponse
    boot_id: str = ""
    runs: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[int, str, Any]] = field(default_factory=list)

    async def next(self) -> tuple[int, str, Any]:
        """The next event."""
        block = (await self.response.content.readuntil(b"\n\n")).decode()
        fields = dict(line.split(": ", 1) for line in block.strip().split("\n"))
        event = (int(fields["id"]), fields["event"], json.loads(fields["data"]))
        self.events.append(event)
        return event

    async def until(self, condition: Any) -> None:
        """Take in events, which are as the OpenAPI document says, until the condition holds."""
        while not condition(self):
            _, event, data = await self.next()
            check_event(event, data)
            if event == "runs":
                self.runs.update({run["id"]: run for run in data})
            if event == "spans":
                self.spans.update({span["id"]: span for span in data["spans"]})


@asynccontextmanager
async def page(api: Api, query: str = "") -> AsyncIterator[Page]:
    """A page on the stream, greeted."""
    async with api.client.get(f"/console/stream{query}") as response:
        assert response.status == 200
        opened = Page(response)
        _, event, hello = await opened.next()
        assert event == "hello"
        opened.boot_id = hello["boot_id"]
        yield opened


@pytest.fixture
async def live(api: Api) -> AsyncIterator[Api]:
    """The service, which publishes its changes."""
    publishing = asyncio.create_task(api.console.keep_publishing())
    yield api
    publishing.cancel()


async def test_the_snapshot_says_what_the_process_is_and_what_runs(api: Api) -> None:
    """With the number of the last event."""
    api.console.hub.publish("runs", [])
    await api.run("retry", seed=8)
    running = asyncio.create_task(api.run("sequential"))
    await asyncio.sleep(1)
    answer = await api.get("/console/snapshot")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    snapshot = answer.json()
    assert snapshot["boot_id"] == api.console.hub.boot_id
    assert snapshot["seq"] == 1
    assert snapshot["version"] == "0.1.0"
    assert snapshot["links"] == {"grafana": None, "prometheus": None}
    now, before = snapshot["runs"]
    assert (now["workflow"], now["state"], now["ended_at"]) == ("sequential", "running", None)
    assert (before["workflow"], before["state"], before["outcome"]) == ("retry", "ended", "success")
    assert (before["attempts"], before["retries"], before["failures"]) == (4, 3, 3)
    assert before["started_at"] == pytest.approx(EPOCH_NS / 1e9, abs=0.1)
    assert before["kind"] == "inline"
    assert before["id"] == f"{before['trace_id']}-{before['span_id']}"
    await running


async def test_it_links_to_what_the_operator_says(recorded: Recorded, console: Console) -> None:
    """Nothing is guessed."""
    grafana, prometheus = "http://127.0.0.1:3000", "https://prometheus.test/"
    async with serving(recorded, console, grafana_url=grafana, prometheus_url=prometheus) as api:
        links = (await api.get("/console/snapshot")).json()["links"]
        assert links == {"grafana": grafana, "prometheus": prometheus}


async def test_the_stream_is_no_answer_to_keep(api: Api) -> None:
    """Neither in a cache nor in a proxy's buffer."""
    async with api.client.get("/console/stream") as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in response.headers
    async with api.client.head("/console/stream") as head:
        assert (head.status, await head.read()) == (200, b"")
        names = ("Content-Type", "Cache-Control", "X-Accel-Buffering")
        assert [head.headers[name] for name in names] == [response.headers[name] for name in names]


async def test_a_page_follows_a_run_live(live: Api) -> None:
    """First the stream, then the snapshot: what has a higher number is news."""
    async with page(live) as opened:
        snapshot = (await live.get("/console/snapshot")).json()
        assert (snapshot["boot_id"], snapshot["runs"]) == (opened.boot_id, [])
        running = asyncio.create_task(live.run("retry", seed=8))
        await opened.until(lambda page: len(page.runs) == 1)
        (run,) = opened.runs.values()
        assert (run["state"], run["attempts"]) == ("running", 1)
        await opened.until(lambda page: page.runs[run["id"]]["state"] == "ended")
        assert opened.runs[run["id"]]["attempts"] == 4
        assert (await running).json()["trace_id"] == run["trace_id"]
        numbers = [number for number, _, _ in opened.events]
        assert numbers == sorted(set(numbers))
        assert (await live.get("/console/snapshot")).json()["runs"] == list(opened.runs.values())
        async with page(live) as second:
            assert second.boot_id == opened.boot_id
            assert second.events == [(numbers[-1], "hello", {"boot_id": opened.boot_id, "seq": numbers[-1]})]


async def test_a_page_follows_the_spans_of_the_traces_it_asked_for(live: Api) -> None:
    """First the stream, then the trace: together they are all of it."""
    running = asyncio.create_task(live.run("retry", seed=8))
    other = asyncio.create_task(live.run("sequential"))
    await asyncio.sleep(0.01)
    (trace_id,) = (run["trace_id"] for run in live.console.runs.latest() if run["workflow"] == "retry")
    async with page(live, f"?trace={trace_id.upper()}&trace={'0' * 31}1&trace={trace_id}") as opened:
        trace = (await live.get(f"/console/traces/{trace_id}")).json()
        assert trace["seq"] >= opened.events[0][0]
        opened.spans.update({span["id"]: span for span in trace["spans"]})
        begun = [span["name"] for span in trace["spans"]]
        assert begun[:2] == ["POST /workflows/{workflow}", "workflow retry"]
        await opened.until(lambda page: all(span["end"] is not None for span in page.spans.values()))
    await asyncio.gather(running, other)
    whole = (await live.get(f"/console/traces/{trace_id.upper()}")).json()
    assert list(opened.spans.values()) == whole["spans"]
    assert (whole["trace_id"], whole["total"], whole["truncated"]) == (trace_id, len(whole["spans"]), False)
    assert {data["trace_id"] for _, event, data in opened.events if event == "spans"} == {trace_id}
    kinds = [span["kind"] for span in whole["spans"]]
    assert (kinds.count("attempt"), kinds.count("backoff"), kinds.count("server")) == (4, 3, 1)


async def test_a_page_that_asks_for_no_trace_gets_no_spans(live: Api) -> None:
    async with page(live) as opened:
        await live.run("retry", failure_rate=0)
        await opened.until(lambda page: any(run["state"] == "ended" for run in page.runs.values()))
        assert {event for _, event, _ in opened.events} == {"hello", "runs"}


async def test_while_no_page_is_open_nothing_is_collected(live: Api) -> None:
    """Nor after the last one has gone; what runs is known all the same."""
    await live.run("retry", failure_rate=0)
    async with page(live):
        pass
    await asyncio.sleep(1)
    trace_id = (await live.run("retry", failure_rate=0)).json()["trace_id"]
    assert not live.console.runs.has_changed
    await asyncio.sleep(2 * BATCH_SECONDS)
    assert live.console.hub.seq == 0
    assert (await live.get(f"/console/traces/{trace_id}")).json()["total"] == 4
    assert len((await live.get("/console/snapshot")).json()["runs"]) == 2


async def test_a_page_without_news_sees_that_the_service_is_there(api: Api) -> None:
    """A comment every ten seconds."""
    loop = asyncio.get_running_loop()
    async with page(api) as opened:
        before = loop.time()
        assert await opened.response.content.readuntil(b"\n\n") == b": still here\n\n"
        assert loop.time() - before == pytest.approx(console_api.HEARTBEAT_SECONDS)


async def test_the_end_of_the_service_ends_the_stream(api: Api) -> None:
    """After the last events."""
    async with page(api) as opened:
        api.console.hub.publish("runs", [])
        api.console.hub.close()
        assert (await opened.next())[1] == "runs"
        assert await opened.response.content.read() == b""


async def test_beyond_the_bound_on_readers_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bound; one that leaves makes room."""
    monkeypatch.setattr(stream, "MAX_READERS", 1)
    async with page(api):
        answer = await api.get("/console/stream")
        assert (answer.status, answer.json()["type"]) == (503, "urn:retryscope:problem:too-many-readers")
        assert answer.json()["detail"] == "1 read the stream already, which is the limit."
        assert answer.headers["Retry-After"] == "5"
    await asyncio.sleep(1)
    async with page(api):
        pass


async def test_a_large_trace_is_cut_where_it_is_deepest(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how much there is."""
    monkeypatch.setattr(span_store, "MAX_SPANS_PER_TRACE", 5)
    trace_id = (await api.run("retry", seed=8)).json()["trace_id"]
    trace = (await api.get(f"/console/traces/{trace_id}")).json()
    assert [span["kind"] for span in trace["spans"]] == ["server", "workflow", "retry", "attempt", "backoff"]
    assert (trace["total"], trace["truncated"]) == (10, True)


async def test_what_a_client_or_an_upstream_writes_is_data(api: Api) -> None:
    """JSON, whatever it holds; the page shows texts as texts."""
    evil = "</script><script>alert(1)</script>\n\ndata: x"
    tracer = tracer_into(api.console.feed)
    span = start(tracer, evil, attributes={evil: evil, semconv.OPERATION: evil})
    span.record_exception(ValueError(evil))
    span.end()
    (shown,) = (await api.get(f"/console/traces/{trace_of(span):032x}")).json()["spans"]
    assert (shown["name"], shown["operation"], shown["attributes"][evil]) == (evil, evil, evil)
    assert shown["error"] == {"type": "ValueError", "message": evil}
    async with page(api) as opened:
        api.console.hub.publish("runs", [evil])
        assert (await opened.next())[2] == [evil]


@pytest.mark.parametrize("path", ["/console/stream?trace={}", "/console/traces/{}"])
@pytest.mark.parametrize("trace_id", ["1", "g" * 32, "0" * 31, "0" * 33, "٣" * 32, "0" * 31 + "%0A"])
async def test_what_is_no_trace_id_is_refused(api: Api, path: str, trace_id: str) -> None:
    """422 with field, value and bound."""
    answer = await api.get(path.format(trace_id))
    (error,) = answer.json()["errors"]
    assert (answer.status, error["field"], error["bound"]) == (422, "trace", "32 hexadecimal digits")


async def test_only_so_many_traces_may_be_followed(api: Api) -> None:
    """422 with the bound; the same one again is the same."""
    most = console_api.MAX_TRACES
    ids = [f"trace={number:032x}" for number in range(most + 1)]
    answer = await api.get(f"/console/stream?{'&'.join(ids)}")
    (error,) = answer.json()["errors"]
    assert (answer.status, error["bound"]) == (422, f"at most {most} different ones")
    async with page(api, f"?{'&'.join([*ids[:most], ids[0]])}"):
        pass


async def test_a_trace_that_is_not_here(api: Api) -> None:
    """404, and why that may be."""
    answer = await api.get(f"/console/traces/{'a' * 32}")
    assert (answer.status, answer.json()["type"]) == (404, "urn:retryscope:problem:unknown-trace")


async def test_what_an_inline_run_was_started_with(api: Api) -> None:
    """All of it, also what has its default, and a seed that was drawn."""
    await asyncio.gather(api.run("retry", max_retries=2, seed=8), api.run("sequential", tasks=1))
    started = {}
    for run in api.console.runs.latest():
        answer = await api.get(f"/console/runs/{run['id']}")
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
        started[answer.json()["workflow"]] = answer.json()["params"]
    assert started.keys() == {"retry", "sequential"}
    assert (started["retry"]["max_retries"], started["retry"]["seed"]) == (2, 8)
    seed = started["sequential"].pop("seed")
    assert isinstance(seed, int)
    rest = WORKFLOWS["sequential"].params(tasks=1).model_dump(mode="json", exclude={"seed"})
    assert started["sequential"] == rest


@pytest.mark.parametrize(
    ("workflow", "params"),
    [
        ("sequential", {"tasks": 40, "failure_rate": 0.5}),
        ("concurrent", {"tasks": 40, "failure_rate": 0.5}),
        ("retry", {"failure_rate": 0.9, "max_retries": 20, "jitter": "full"}),
    ],
)
async def test_an_inline_run_repeats_with_what_it_was_started_with(
    api: Api, workflow: str, params: dict[str, Any]
) -> None:
    """Its outcomes, attempts and delays, though it was sent no seed; also while it still runs."""
    running = asyncio.create_task(api.run(workflow, **params))
    await asyncio.sleep(0.01)
    (run,) = api.console.runs.latest()
    known = (await api.get(f"/console/runs/{run['id']}")).json()
    first = (await running).json()
    second = (await api.run(workflow, **known["params"])).json()
    assert (first["outcome"], first["counts"]) == (second["outcome"], second["counts"])
    for one, other in zip(first["tasks"], second["tasks"], strict=True):
        assert one.pop("backoff_seconds") == pytest.approx(other.pop("backoff_seconds"))
        assert one == other


async def test_what_an_inline_run_answered(api: Api) -> None:
    """As it did: a result, and the error of one that failed."""
    success = (await api.run("sequential", tasks=2)).json()
    failed = (await api.run("retry", failure_rate=1, max_retries=0)).json()
    paths = [f"/console/runs/{run['id']}" for run in api.console.runs.latest()]
    known = {each["workflow"]: each for each in [(await api.get(path)).json() for path in paths]}
    assert known["sequential"]["result"] == success
    assert "error" not in known["sequential"]
    assert known["retry"]["error"] == failed["error"]
    assert known["retry"]["result"].items() <= failed.items()
    assert known["retry"]["result"]["outcome"] == "exhausted"


async def test_a_run_that_was_started_with_nobody_knows_what(api: Api) -> None:
    """404, and why that may be."""
    answer = await api.get(f"/console/runs/{'a' * 32}-{'b' * 16}")
    assert (answer.status, answer.json()["type"]) == (404, "urn:retryscope:problem:unknown-run")


async def test_with_a_token_nothing_of_it_is_open(recorded: Recorded, console: Console) -> None:
    """The token is a header, as everywhere; in the address it is worth nothing."""
    async with serving(recorded, console, api_token=TOKEN) as api:
        for path in (
            "/console/snapshot",
            "/console/stream",
            f"/console/traces/{'a' * 32}",
            "/console/runs/a",
        ):
            for query in ("", f"?token={TOKEN}", f"?access_token={TOKEN}"):
                assert (await api.get(path + query)).status == 401
        authorized = {"Authorization": f"Bearer {TOKEN}"}
        assert (await api.call("GET", "/console/snapshot", headers=authorized)).status == 200
        async with api.client.get("/console/stream", headers=authorized) as response:
            assert response.status == 200
