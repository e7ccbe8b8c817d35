"""Background runs over HTTP, on the embedded engine with a worker; every answer as documented."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from retryscope_service.api import runs as runs_module
from retryscope_service.console.console import Console
from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.events import RunEvents
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.state import FINAL_STATES
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.worker import RunWorker
from tests.support.polling import LIMIT, until
from tests.support.recorded import recording
from tests.unit.retryscope_service.helpers import Answer, Api, serving
from tests.unit.retryscope_service.runs.helpers import away

REAL_LOOP = True

QUICK = {"failure_rate": 0, "duration": 0}
HELD = {"durations": [60], "cancel_after": 60, "cleanup": 0.02}


class Runs:
    """The API, and what is behind it."""

    def __init__(self, api: Api, store: RunStore) -> None:
        self.api = api
        self.store = store

    async def submit(self, workflow: str, params: Any = None, **headers: str) -> Answer:
        return await self.api.call("POST", f"/workflows/{workflow}/runs", params, headers=headers)

    async def started(self, workflow: str, params: Any) -> str:
        answer = await self.submit(workflow, params)
        assert answer.status == 202, answer.text
        return str(answer.json()["id"])

    async def wait_for(self, run_id: str, *states: str) -> Any:
        async def record() -> Any:
            return (await self.api.get(f"/runs/{run_id}")).json()

        return await until(
            record, f"the run is {' or '.join(states)}", lambda found: found["state"] in states
        )


@pytest.fixture
def events() -> RunEvents:
    return RunEvents()


@pytest.fixture
async def runs(events: RunEvents, console: Console) -> AsyncIterator[Runs]:
    """The service with a worker."""
    with recording(time_ns=time.time_ns, span_processors=[console.feed, events]) as recorded:
        async with Engine(f"memory://{uuid.uuid4()}", connections=20, redelivery_seconds=5) as engine:
            records, metrics = RunStore(engine), RunMetrics(recorded.registry)
            background = BackgroundRuns(engine, records, metrics, limit=3, retention=60)
            engine.register(RunWorker("w", engine, records, events, metrics).handle)
            async with engine.working("w", 10), serving(recorded, console, background) as api:
                runs = Runs(api, records)
                yield runs
                for run in (await api.get("/runs?limit=100")).json()["runs"]:
                    await api.call("POST", f"/runs/{run['id']}/cancel")
                    # A worker that stops hears of no cancel that is still on its way, and awaits its runs.
                    await runs.wait_for(run["id"], *FINAL_STATES)


class TestSubmit:
    async def test_202_with_a_location(self, runs: Runs) -> None:
        """Where the record is; its links lead on."""
        answer = await runs.submit("retry", QUICK)
        assert answer.status == 202
        record = answer.json()
        location = f"/runs/{record['id']}"
        assert answer.headers["Location"] == location
        assert answer.headers["Idempotent-Replayed"] == "false"
        assert record["links"] == {
            "self": location,
            "events": f"{location}/events",
            "cancel": f"{location}/cancel",
            "trace": f"/traces/{answer.headers['X-Trace-Id']}",
        }
        ended = await runs.wait_for(record["id"], "succeeded")
        assert ended["trace_id"] == ended["result"]["trace_id"] == answer.headers["X-Trace-Id"]
        assert ended["result"]["counts"]["succeeded"] == 1

    async def test_an_empty_body_means_the_defaults(self, runs: Runs) -> None:
        """As for an inline run."""
        answer = await runs.submit("cancellation")
        assert answer.json()["params"]["cancel_after"] == 2.5

    async def test_its_span_is_below_the_request(self, runs: Runs) -> None:
        """In one trace; the engine is no part of it."""
        run_id = await runs.started("retry", QUICK)
        await runs.wait_for(run_id, "succeeded")
        assert runs.api.recorded.outline().splitlines()[:2] == [
            "POST /workflows/{workflow}/runs",
            "  workflow retry",
        ]

    async def test_wrong_ones_are_refused(self, runs: Runs) -> None:
        """404, 400, 415, 422: nothing is stored."""
        assert (await runs.submit("nothing")).status == 404
        assert (await runs.submit("retry", {"max_retries": -1})).status == 422
        post = runs.api.call
        assert (await post("POST", "/workflows/retry/runs", content="{")).status == 400
        wrong = {"Content-Type": "text/plain"}
        assert (await post("POST", "/workflows/retry/runs", content="x", headers=wrong)).status == 415
        assert (await runs.api.get("/runs")).json() == {"runs": [], "cursor": None}

    async def test_the_same_key_gives_the_same_run(self, runs: Runs) -> None:
        """With another body it is a conflict that names the run."""
        key = {"Idempotency-Key": "k" * 200}
        first = await runs.submit("retry", QUICK, **key)
        again = await runs.submit("retry", QUICK, **key)
        assert (again.status, again.json()["id"]) == (202, first.json()["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        conflict = await runs.submit("retry", {**QUICK, "max_retries": 1}, **key)
        assert conflict.status == 422
        assert conflict.json()["type"] == "urn:retryscope:problem:idempotency-conflict"
        assert conflict.json()["run"] == first.json()["id"]

    @pytest.mark.parametrize("key", ["", "k" * 201])
    async def test_a_key_that_is_none(self, runs: Runs, key: str) -> None:
        answer = await runs.submit("retry", QUICK, **{"Idempotency-Key": key})
        assert answer.status == 422
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"

    async def test_too_many_are_refused(self, runs: Runs) -> None:
        """429; when one has ended there is room."""
        held = [await runs.started("cancellation", HELD) for _ in range(3)]
        answer = await runs.submit("retry", QUICK)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert "RETRYSCOPE_MAX_ACTIVE_RUNS" in answer.json()["detail"]
        await runs.api.call("POST", f"/runs/{held[0]}/cancel")
        await runs.wait_for(held[0], "cancelled")
        assert (await runs.submit("retry", QUICK)).status == 202

    async def test_while_draining_nothing_new_is_taken(self, runs: Runs) -> None:
        """What there is can still be read."""
        await runs.api.runs.drain(0)
        answer = await runs.submit("retry", QUICK)
        assert (answer.status, answer.json()["type"]) == (503, "urn:retryscope:problem:draining")
        assert (await runs.api.get("/runs")).status == 200


class TestRead:
    async def test_an_unknown_run_is_404(self, runs: Runs) -> None:
        for method, path in (
            ("GET", "/runs/nothing"),
            ("GET", "/runs/nothing/events"),
            ("POST", "/runs/nothing/cancel"),
        ):
            answer = await runs.api.call(method, path)
            assert (answer.status, answer.json()["type"]) == (404, "urn:retryscope:problem:unknown-run")

    async def test_reading_is_not_traced(self, runs: Runs) -> None:
        """It would push out of /traces what that is for."""
        await runs.api.get("/runs")
        await runs.api.get("/runs/nothing")
        assert runs.api.recorded.log.started == []

    async def test_pages_and_filters(self, runs: Runs) -> None:
        """The newest first; the cursor of an answer is what the next one takes."""
        ids = [await runs.started("retry", QUICK) for _ in range(2)]
        ids.append(await runs.started("timeouts", {"time_scale": 0.001}))
        for run_id in ids:
            await runs.wait_for(run_id, "succeeded", "failed")
        found: list[str] = []
        path = "/runs?limit=2"
        for _ in range(3):
            document = (await runs.api.get(path)).json()
            found += [run["id"] for run in document["runs"]]
            if document["cursor"] is None:
                break
            path = f"/runs?limit=2&cursor={quote(document['cursor'])}"
        assert found == ids[::-1]
        trace_id = (await runs.api.get(f"/runs/{ids[1]}")).json()["trace_id"]
        for query, expected in (
            ("workflow=retry", ids[1::-1]),
            ("state=succeeded&workflow=retry", ids[1::-1]),
            ("outcome=cancelled", []),
            ("state=queued", []),
            ("state=queued&state=succeeded&state=failed", ids[::-1]),
            ("workflow=timeouts&workflow=retry&limit=1", ids[2:]),
            ("since=2020-01-01T00:00:00Z&workflow=timeouts", ids[2:]),
            ("since=2020-01-01", ids[::-1]),
            ("until=2020-01-01", []),
            ("until=2999-01-01T00:00:00&workflow=timeouts", ids[2:]),
            ("failures=some", ids[2:]),
            ("failures=none", ids[1::-1]),
            ("error_type=timeout", ids[2:]),
            ("error_type=ValueError", []),
            (f"trace_id={trace_id}", ids[1:2]),
            (f"trace_id={trace_id}&failures=some", []),
            ("since=2999-01-01T00:00:00", []),
        ):
            answer = await runs.api.get(f"/runs?{query}")
            assert [run["id"] for run in answer.json()["runs"]] == expected, query

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("workflow", "nothing"),
            ("workflow", ""),
            ("state", "done"),
            ("status", "failed"),
            ("outcome", "good"),
            ("since", "yesterday"),
            ("since", ""),
            ("since", "2026-13-01"),
            ("until", "tomorrow"),
            ("failures", "all"),
            ("error_type", ""),
            ("error_type", "a\u00e9"),
            ("trace_id", "f" * 31),
            ("trace_id", "F" * 32),
            ("limit", "0"),
            ("limit", "101"),
            ("limit", "-1"),
            ("limit", "ten"),
            ("limit", "\u0661"),
            ("limit", "00000000001"),
            ("cursor", ""),
            ("cursor", "nothing"),
            ("cursor", "_"),
            ("cursor", "-1700000000.1"),
            ("cursor", "nan_a"),
            ("cursor", "-inf_a"),
            ("cursor", "(1_a"),
            ("cursor", "-1 _a"),
            ("cursor", "-1_"),
        ],
    )
    async def test_a_wrong_parameter_is_named(self, runs: Runs, field: str, value: str) -> None:
        """With its value and what it must be."""
        answer = await runs.api.get(f"/runs?{field}={quote(value)}")
        assert answer.status == 422
        (error,) = answer.json()["errors"]
        assert (error["field"], error["value"]) == (field, value)
        assert error["bound"]


class TestCancel:
    async def test_202_and_409_when_it_has_ended(self, runs: Runs) -> None:
        """With the state; asking twice is no error."""
        run_id = await runs.started("cancellation", HELD)
        await runs.wait_for(run_id, "running")
        answer = await runs.api.call("POST", f"/runs/{run_id}/cancel")
        assert (answer.status, answer.json()["state"]) == (202, "cancelling")
        assert (await runs.api.call("POST", f"/runs/{run_id}/cancel")).status in {202, 409}
        record = await runs.wait_for(run_id, "cancelled")
        assert record["outcome"] == "cancelled"
        conflict = await runs.api.call("POST", f"/runs/{run_id}/cancel")
        assert (conflict.status, conflict.json()["state"]) == (409, "cancelled")
        assert conflict.json()["type"] == "urn:retryscope:problem:run-ended"

    async def test_an_open_page_sees_it_at_once(self, runs: Runs) -> None:
        """While the run still cleans up; of a run whose cancel is refused it sees none."""
        run_id = await runs.started("cancellation", {**HELD, "cleanup": 1})
        await runs.wait_for(run_id, "running")
        shown = partial(shown_run, runs.api, run_id)
        assert ((await shown())["kind"], (await shown())["state"]) == ("background", "running")
        await runs.api.call("POST", f"/runs/{run_id}/cancel")
        cancelling = await shown()
        assert (cancelling["state"], cancelling["outcome"]) == ("cancelling", None)
        await runs.wait_for(run_id, "cancelled")
        ended = await shown()
        assert (ended["state"], ended["outcome"], ended["cancel_cause"]) == ("ended", "cancelled", "request")
        await runs.api.call("POST", f"/runs/{run_id}/cancel")
        assert await shown() == ended


async def shown_run(api: Api, run_id: str) -> dict[str, Any]:
    """The run as the page sees it."""
    snapshot = (await api.get("/console/snapshot")).json()
    (found,) = (run for run in snapshot["runs"] if run["id"] == run_id)
    shown: dict[str, Any] = found
    return shown


def parse(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    """The events of a stream: id, event, data."""
    found = []
    for block in text.split("\n\n")[:-1]:
        if not block.startswith(":"):
            lines = block.split("\n")
            assert [line.partition(": ")[0] for line in lines] == ["id", "event", "data"]
            number, name, data = (line.partition(": ")[2] for line in lines)
            found.append((int(number), name, json.loads(data)))
    return found


class TestEvents:
    async def test_a_stream_from_the_first_to_the_final_state(self, runs: Runs) -> None:
        """Numbered without gaps; nothing caches or buffers it."""
        run_id = await runs.started("retry", {**QUICK, "time_scale": 0.0001})
        answer = await runs.api.get(f"/runs/{run_id}/events")
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        events = parse(answer.text)
        assert [number for number, _, _ in events] == list(range(len(events)))
        assert all(name == data["event"] for _, name, data in events)
        assert [data["state"] for _, name, data in events if name == "state"] == [
            "queued",
            "running",
            "succeeded",
        ]
        assert events[-1][2]["state"] == "succeeded"

    async def test_it_resumes_after_the_last_event_id(self, runs: Runs) -> None:
        run_id = await runs.started("retry", QUICK)
        every = parse((await runs.api.get(f"/runs/{run_id}/events")).text)
        for last in range(len(every) - 1):
            answer = await runs.api.get(f"/runs/{run_id}/events", **{"Last-Event-ID": str(last)})
            assert parse(answer.text) == every[last + 1 :]
        assert parse((await runs.api.get(f"/runs/{run_id}/events", **{"Last-Event-ID": ""})).text) == every

    async def test_after_the_last_event_of_an_ended_run_there_is_nothing_to_come_back_for(
        self, runs: Runs
    ) -> None:
        """204, on which an EventSource stops; also for an id behind the end."""
        run_id = await runs.started("retry", QUICK)
        every = parse((await runs.api.get(f"/runs/{run_id}/events")).text)
        for last in (len(every) - 1, len(every), 999_999_999):
            answer = await runs.api.get(f"/runs/{run_id}/events", **{"Last-Event-ID": str(last)})
            assert (answer.status, answer.body) == (204, b"")
            assert answer.headers["Cache-Control"] == "no-store"

    async def test_a_run_that_ends_between_two_connections_is_told_of_to_its_end(self, runs: Runs) -> None:
        """Whoever comes back sees the end once, and is then told to stay away."""
        run_id = await runs.started("cancellation", HELD)
        await runs.wait_for(run_id, "running")
        async with runs.api.client.get(f"/runs/{run_id}/events") as response:
            assert await response.content.readline() == b"id: 0\n"
        await runs.api.call("POST", f"/runs/{run_id}/cancel")
        await runs.wait_for(run_id, "cancelled")
        answer = await runs.api.get(f"/runs/{run_id}/events", **{"Last-Event-ID": "0"})
        rest = parse(answer.text)
        assert (rest[0][0], rest[-1][2]["state"]) == (1, "cancelled")
        last = str(rest[-1][0])
        assert (await runs.api.get(f"/runs/{run_id}/events", **{"Last-Event-ID": last})).status == 204

    async def test_a_last_event_that_there_never_was_hides_nothing_that_comes(self, runs: Runs) -> None:
        """A restart of Redis may have lost it: what happens from now on is told all the same."""
        run_id = await runs.started("cancellation", HELD)
        await runs.wait_for(run_id, "running")
        headers = {"Last-Event-ID": "999999999"}
        async with runs.api.client.get(f"/runs/{run_id}/events", headers=headers) as response:
            await runs.api.call("POST", f"/runs/{run_id}/cancel")
            assert parse((await response.read()).decode())[-1][2]["state"] == "cancelled"

    @pytest.mark.parametrize("value", ["-1", "first", "1.5", "9999999999"])
    async def test_a_wrong_last_event_id(self, runs: Runs, value: str) -> None:
        run_id = await runs.started("retry", QUICK)
        answer = await runs.api.get(f"/runs/{run_id}/events", **{"Last-Event-ID": value})
        assert answer.status == 422
        assert answer.json()["errors"][0]["field"] == "Last-Event-ID"

    async def test_a_heartbeat_while_nothing_happens(
        self, runs: Runs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A comment; and a reader that goes is no error."""
        monkeypatch.setattr(runs_module, "HEARTBEAT_SECONDS", 0.02)
        run_id = await runs.started("cancellation", HELD)
        async with runs.api.client.get(f"/runs/{run_id}/events") as response:
            async with asyncio.timeout(LIMIT):
                while await response.content.readline() != b": still here\n":
                    pass


@pytest.mark.parametrize("error", [None, ConnectionError, TimeoutError])
async def test_an_engine_that_is_away_is_503(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, error: type[Exception] | None
) -> None:
    """A problem that says what is safe to do; health and metrics go on."""
    from retryscope_service.runs import engine_retry

    def broken(*args: Any, **kwargs: Any) -> Any:
        if error is None:
            away()
        else:
            raise error("away")

    with monkeypatch.context() as outage:
        outage.setattr(engine_retry, "_for_client", type("Once", (), {"call": staticmethod(_once)}))
        for name in ("submit", "get", "page", "request_cancel"):
            outage.setattr(runs.store, name, broken)
        for method, path in (
            ("POST", "/workflows/retry/runs"),
            ("GET", "/runs"),
            ("GET", "/runs/a"),
            ("GET", "/runs/a/events"),
            ("POST", "/runs/a/cancel"),
        ):
            answer = await runs.api.call(method, path)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert answer.json()["type"] == "urn:retryscope:problem:engine-unavailable"
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert (await runs.api.get(path)).status == 200


async def _once(fn: Any, *args: Any, **kwargs: Any) -> Any:
    return await fn(*args, **kwargs)
