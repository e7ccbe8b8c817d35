"""``/workflows``: what can be run, admission, answers, and the trace that they name."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from retryscope_service.console.console import Console
from retryscope_service.workflows import WORKFLOWS
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.helpers import Api, serving

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class TestList:
    async def test_names_the_documents_five_in_its_order_and_the_checkout(self, api: Api) -> None:
        """With what a client needs to run each."""
        listed = (await api.get("/workflows")).json()["workflows"]
        assert [each["name"] for each in listed] == [
            "sequential",
            "concurrent",
            "cancellation",
            "timeouts",
            "retry",
            "checkout",
        ]
        for each in listed:
            assert set(each) == {"name", "summary", "href", "defaults", "schema"}
            assert each["href"] == f"/workflows/{each['name']}"

    async def test_the_defaults_are_the_documents_numbers(self, api: Api) -> None:
        """Everywhere a random seed and real time."""
        listed = (await api.get("/workflows")).json()["workflows"]
        common: dict[str, Any] = {"seed": None, "time_scale": 1.0, "operation": "simulated"}
        assert {each["name"]: each["defaults"] for each in listed} == {
            "sequential": {**common, "tasks": 5, "duration": 0.5, "failure_rate": 0.3},
            "concurrent": {**common, "tasks": 10, "duration": 0.5, "failure_rate": 0.3},
            "cancellation": {**common, "durations": [3.0, 5.0, 2.0], "cancel_after": 2.5, "cleanup": 0.1},
            "timeouts": {
                **common,
                "operations": [
                    {"name": "Database Query", "duration": 3.0, "timeout": 2.5},
                    {"name": "API Call", "duration": 3.0, "timeout": 1.5},
                    {"name": "File Processing", "duration": 3.0, "timeout": 4.0},
                ],
            },
            "retry": {
                **common,
                "duration": 0.2,
                "failure_rate": 0.6,
                "max_retries": 4,
                "base_delay": 0.5,
                "backoff_factor": 2.0,
                "max_delay": 60.0,
                "jitter": "none",
                "attempt_timeout": None,
                "deadline": None,
                "budget": False,
            },
            "checkout": {
                "seed": None,
                "time_scale": 1.0,
                "sku": "book",
                "quantity": 1,
                "duration": 0.1,
                "max_attempts": 4,
                "base_delay": 0.2,
                "attempt_timeout": 1.0,
                "deadline": 8.0,
                "compensation": 10.0,
                "budget": True,
            },
        }

    async def test_the_defaults_fit_the_schemas_and_can_be_sent_back(self, api: Api) -> None:
        """A form that is made from the schema and filled with the defaults works."""
        for each in (await api.get("/workflows")).json()["workflows"]:
            Draft202012Validator.check_schema(each["schema"])
            Draft202012Validator(each["schema"]).validate(each["defaults"])
            assert (await api.call("POST", each["href"], each["defaults"])).status in {200, 502}


@pytest.mark.parametrize("name", ["retries", "RETRY", "retry%20", "a" * 5000, "%3Cscript%3E"])
async def test_an_unknown_workflow_is_refused_naming_the_known_ones(api: Api, name: str) -> None:
    """404, whatever the body."""
    answer = await api.call("POST", f"/workflows/{name}", content="{")
    problem = answer.json()
    assert (answer.status, problem["type"]) == (404, "urn:retryscope:problem:unknown-workflow")
    assert problem["known"] == list(WORKFLOWS)
    assert problem["detail"].endswith(
        "there are sequential, concurrent, cancellation, timeouts, retry, checkout."
    )
    assert len(problem["detail"]) < 250


class TestAdmission:
    @pytest.fixture
    async def api(self, recorded: Recorded, console: Console) -> AsyncIterator[Api]:
        async with serving(recorded, console, max_runs_in_flight=2) as api:
            yield api

    async def test_too_many_runs_are_refused_and_leave_nothing_behind(self, api: Api) -> None:
        """429 at once, with Retry-After; afterwards there is room again."""
        running = [asyncio.create_task(api.run("timeouts")) for _ in range(2)]
        await asyncio.sleep(1)
        before = len(api.recorded.log.started)
        with api.recorded.changes() as changes:
            answer = await api.run("timeouts")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        problem = answer.json()
        assert problem["type"] == "urn:retryscope:problem:too-many-runs"
        assert problem["title"] == "Too many runs"
        assert problem["bound"] == 2
        assert "RETRYSCOPE_MAX_RUNS_IN_FLIGHT" in problem["detail"]
        assert [span.name for span in api.recorded.log.started[before:]] == ["POST /workflows/{workflow}"]
        assert {name.partition("{")[0] for name in changes} == {"http_server_request_duration_seconds_count"}
        assert [run.status for run in await asyncio.gather(*running)] == [200, 200]
        assert (await api.run("timeouts")).status == 200

    async def test_a_client_that_hangs_up_makes_room(self, api: Api) -> None:
        """Once its run's cleanup has ended."""
        running = asyncio.create_task(api.run("cancellation"))
        hanging_up = asyncio.create_task(api.hang_up("cancellation", 1, {"cleanup": 1}, alone=False))
        await asyncio.sleep(1.5)
        assert (await api.run("timeouts")).status == 429
        await asyncio.sleep(0.6)
        assert (await api.run("timeouts")).status == 200
        assert (await running).status == 200
        await hanging_up

    async def test_wrong_parameters_are_told_even_when_there_is_no_room(self, api: Api) -> None:
        """They would be as wrong a second later."""
        running = [asyncio.create_task(api.run("timeouts")) for _ in range(2)]
        await asyncio.sleep(1)
        assert (await api.run("timeouts", time_scale=-1)).status == 422
        await asyncio.gather(*running)


async def test_while_draining_nothing_new_starts(api: Api) -> None:
    """503 with Retry-After, and the connection is closed; what runs goes on and answers."""
    running = asyncio.create_task(api.run("retry", failure_rate=0, duration=5))
    await asyncio.sleep(1)
    draining = asyncio.create_task(api.runs.drain(60))
    await asyncio.sleep(1)
    answer = await api.run("retry")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Connection"] == "close"
    assert answer.json()["type"] == "urn:retryscope:problem:draining"
    assert (await running).status == 200
    await draining
    assert asyncio.get_running_loop().time() == 5


class TestSeed:
    @pytest.mark.parametrize("workflow", ["sequential", "concurrent", "retry"])
    async def test_the_same_seed_gives_the_same_outcome(self, api: Api, workflow: str) -> None:
        """The whole answer, but for the id of its trace."""
        params = {"jitter": "full"} if workflow == "retry" else {}
        first, second = [(await api.run(workflow, seed=7, **params)).json() for _ in range(2)]
        assert first.pop("trace_id") != second.pop("trace_id")
        assert first.pop("duration_seconds") == pytest.approx(second.pop("duration_seconds"))
        for task in (*first["tasks"], *second["tasks"]):
            task["backoff_seconds"] = round(task["backoff_seconds"], 5)
        assert first == second

    async def test_the_order_in_which_tasks_run_changes_nothing(self, api: Api) -> None:
        """Each task has a random source of its own: sequential and concurrent fail alike."""
        answers = [await api.run(name, seed=5, tasks=20) for name in ("sequential", "concurrent")]
        one, other = ([task["outcome"] for task in answer.json()["tasks"]] for answer in answers)
        assert one == other
        assert set(one) == {"success", "error"}

    async def test_a_longer_run_begins_like_a_shorter_one(self, api: Api) -> None:
        """The number of tasks does not change what becomes of the first ones."""
        answers = [await api.run("concurrent", seed=5, tasks=tasks) for tasks in (5, 20)]
        short, long = ([task["outcome"] for task in answer.json()["tasks"]] for answer in answers)
        assert long[:5] == short

    async def test_without_a_seed_runs_differ(self, api: Api) -> None:
        """Of 2 ** 50 possible outcomes two runs have different ones."""
        answers = [await api.run("concurrent", tasks=50, failure_rate=0.5) for _ in range(2)]
        one, other = ([task["outcome"] for task in answer.json()["tasks"]] for answer in answers)
        assert one != other


@pytest.mark.parametrize(
    ("workflow", "seconds"),
    [("sequential", 2.5), ("concurrent", 0.5), ("cancellation", 2.6), ("timeouts", 7.0), ("retry", 4.3)],
)
async def test_time_scale_makes_a_run_a_hundred_times_shorter(
    api: Api, workflow: str, seconds: float
) -> None:
    """By the clock, and by what the answer says; the outcome stays the same."""
    clock = asyncio.get_running_loop().time
    outcomes = []
    for scale in (1, 0.01):
        started = clock()
        answer = (await api.run(workflow, seed=8, time_scale=scale)).json()
        assert clock() - started == pytest.approx(seconds * scale, abs=1e-5)
        assert answer["duration_seconds"] == pytest.approx(seconds * scale, abs=1e-5)
        outcomes.append((answer["counts"], [task["attempts"] for task in answer["tasks"]]))
    assert outcomes[0] == outcomes[1]


class TestTrace:
    async def test_every_answer_names_its_trace(self, api: Api) -> None:
        """In the header, also of errors, and where there was a run in the body."""
        for answer in (await api.run("retry", seed=8), await api.run("retry", seed=10)):
            assert answer.json()["trace_id"] == answer.headers["X-Trace-Id"]
        for answer in (await api.run("retry", seed=-1), await api.run("nothing"), await api.get("/nothing")):
            assert len(answer.headers["X-Trace-Id"]) == 32
            assert "trace_id" not in answer.json()

    async def test_a_traceparent_is_continued(self, api: Api) -> None:
        """The request's span is a child of the caller's, in the caller's trace."""
        headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
        answer = await api.call("POST", "/workflows/retry", {"failure_rate": 0}, headers=headers)
        assert answer.json()["trace_id"] == answer.headers["X-Trace-Id"] == TRACE_ID
        spans = api.recorded.spans()
        assert {f"{span.context.trace_id:032x}" for span in spans if span.context} == {TRACE_ID}
        assert spans[0].parent is not None
        assert f"{spans[0].parent.span_id:016x}" == SPAN_ID
        assert spans[0].parent.is_remote

    async def test_a_caller_that_does_not_sample_is_followed(self, api: Api) -> None:
        """No span is kept, no exemplar leads to one; metrics count all the same, the trace is still named."""
        headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-00"}
        with api.recorded.changes() as changes:
            answer = await api.call("POST", "/workflows/retry", {"seed": 10}, headers=headers)
        assert answer.headers["X-Trace-Id"] == TRACE_ID
        assert api.recorded.spans() == []
        assert (await api.get(f"/traces/{TRACE_ID}")).status == 404
        metrics = await api.get("/metrics", Accept="application/openmetrics-text")
        assert TRACE_ID not in metrics.text
        exhausted = 'resilience_workflow_duration_seconds_count{outcome="exhausted", workflow="retry"}'
        assert changes[exhausted] == 1

    @pytest.mark.parametrize(
        "traceparent",
        [
            "",
            "garbage",
            f"00-{'0' * 32}-{SPAN_ID}-01",
            f"00-{TRACE_ID}-{'0' * 16}-01",
            f"ff-{TRACE_ID}-{SPAN_ID}-01",
            f"00-{TRACE_ID}-{SPAN_ID}",
            "x" * 5000,
        ],
    )
    async def test_a_traceparent_that_is_none_starts_a_trace_of_its_own(
        self, api: Api, traceparent: str
    ) -> None:
        """It is no reason to refuse the request."""
        headers = {"traceparent": traceparent}
        answer = await api.call("POST", "/workflows/retry", {"failure_rate": 0}, headers=headers)
        assert answer.status == 200
        assert answer.json()["trace_id"] not in {TRACE_ID, "0" * 32}
        assert api.recorded.spans()[0].parent is None
