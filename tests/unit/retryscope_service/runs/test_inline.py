"""Inline runs without HTTP: errors, admission, cancellation, draining."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from retryscope_service.runs.inline import DrainingError, InlineRuns, TooManyRunsError
from retryscope_service.runs.run import WorkflowRun
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams
from tests.support.recorded import Recorded, recording


@pytest.fixture(autouse=True)
def _in_memory(request: pytest.FixtureRequest) -> None:
    if "monkeypatch" not in request.fixturenames:
        request.getfixturevalue("recorded")


def clock() -> float:
    return asyncio.get_running_loop().time()


def doing(run: Callable[[WorkflowParams, RunContext], Awaitable[None]]) -> WorkflowDefinition[WorkflowParams]:
    return WorkflowDefinition("test", "A test.", WorkflowParams, run)


def sleeping(seconds: float, cleanup: float = 0) -> WorkflowDefinition[WorkflowParams]:
    """A workflow that sleeps, and when it is cancelled cleans up."""

    async def run(params: WorkflowParams, context: RunContext) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(cleanup)
            raise

    return doing(run)


async def start(runs: InlineRuns, definition: WorkflowDefinition[Any]) -> asyncio.Task[WorkflowRun]:
    """A run that has begun."""
    task = asyncio.create_task(runs.run(definition, WorkflowParams()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_a_run_that_fails_is_returned_with_its_error() -> None:
    """It is up to the caller what to answer."""
    failure = RuntimeError("broken")

    async def fail(params: WorkflowParams, context: RunContext) -> None:
        raise failure

    runs = InlineRuns(1)
    run = await runs.run(doing(fail), WorkflowParams())
    assert run.error is failure
    assert run.result().outcome == "error"
    assert runs.in_flight == 0


async def test_a_seed_that_is_not_given_is_drawn() -> None:
    """One for each run."""
    seeds: list[int | None] = []

    async def note(params: WorkflowParams, context: RunContext) -> None:
        seeds.append(context.params.seed)

    runs = InlineRuns(1)
    for params in (WorkflowParams(), WorkflowParams(), WorkflowParams(seed=7)):
        await runs.run(doing(note), params)
    assert seeds[0] != seeds[1]
    assert seeds[2] == 7


async def test_at_the_limit_nothing_starts() -> None:
    """The error names the limit; as soon as one run ends there is room."""
    runs = InlineRuns(2)
    running = [await start(runs, sleeping(1)) for _ in range(2)]
    with pytest.raises(TooManyRunsError, match="2 runs are in flight") as refused:
        await runs.run(sleeping(1), WorkflowParams())
    assert refused.value.limit == 2
    assert runs.in_flight == 2
    await asyncio.gather(*running)
    assert runs.in_flight == 0
    await runs.run(sleeping(1), WorkflowParams())


async def test_cancelling_the_caller_cancels_the_run_and_waits_for_its_cleanup() -> None:
    """The cancellation reaches the caller as such, afterwards."""
    runs = InlineRuns(1)
    caller = await start(runs, sleeping(10, cleanup=2))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert clock() == 2
    assert runs.in_flight == 0


async def test_draining_waits_for_what_runs() -> None:
    """As long as it takes, below the limit; the run is not disturbed."""
    runs = InlineRuns(1)
    caller = await start(runs, sleeping(3))
    await runs.drain(10)
    assert clock() == 3
    assert (await caller).result().outcome == "success"


async def test_after_the_limit_draining_cancels_and_waits_for_the_cleanup() -> None:
    """The caller gets the run, to answer for it."""
    runs = InlineRuns(1)
    caller = await start(runs, sleeping(60, cleanup=2))
    await runs.drain(10)
    assert clock() == 12
    run = await caller
    assert run.result().outcome == "cancelled"
    assert isinstance(run.error, asyncio.CancelledError)


async def test_while_draining_nothing_new_starts() -> None:
    """Also when nothing runs any more."""
    runs = InlineRuns(1)
    await runs.drain(10)
    assert clock() == 0
    with pytest.raises(DrainingError):
        await runs.run(sleeping(1), WorkflowParams())
    assert runs.in_flight == 0


async def test_tracing_that_is_off_leaves_the_trace_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the answer is the same."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with recording() as off:
        run = await InlineRuns(1).run(sleeping(1), WorkflowParams())
        assert off.log.started == []
    assert run.result().trace_id is None
    assert run.result().outcome == "success"
    assert run.result().duration_seconds == 1


async def test_the_trace_of_a_run_without_a_request_begins_with_the_workflow(recorded: Recorded) -> None:
    """It names itself."""
    run = await InlineRuns(1).run(sleeping(1), WorkflowParams())
    (span,) = recorded.spans()
    assert span.context is not None
    assert span.name == "workflow test"
    assert run.result().trace_id == f"{span.context.trace_id:032x}"
