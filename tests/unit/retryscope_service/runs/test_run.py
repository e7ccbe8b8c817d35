"""One run, whoever asked for it: errors kept, cancels raised, its answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from opentelemetry.trace import SpanContext, TraceFlags

from retryscope import Operation, cancellable
from retryscope_service.operations.operations import Operations
from retryscope_service.runs.run import WorkflowRun
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams
from retryscope_service.workflows.retry import RETRY, RetryParams
from retryscope_service.workflows.sequential import SEQUENTIAL, SequentialParams
from tests.support.recorded import Recorded


def doing(run: Callable[[WorkflowParams, RunContext], Awaitable[None]]) -> WorkflowDefinition[WorkflowParams]:
    return WorkflowDefinition("test", "A test.", WorkflowParams, run)


async def test_a_success(recorded: Recorded) -> None:
    """No error, no cleanups."""
    run = WorkflowRun(RETRY, RetryParams(failure_rate=0, duration=2), Operations())
    await run.execute()
    assert run.error is None
    assert run.error_members() is None
    assert run.cleanups() == {}
    assert (run.result().outcome, run.result().duration_seconds) == ("success", 2)


async def test_an_error_is_kept_with_its_kind(recorded: Recorded) -> None:
    """Not raised."""

    async def fail(params: WorkflowParams, context: RunContext) -> None:
        raise KeyError("sku")

    run = WorkflowRun(doing(fail), WorkflowParams(), Operations())
    await run.execute()
    assert isinstance(run.error, KeyError)
    assert run.error_members() == {"type": "KeyError", "message": "'sku'"}


async def test_a_deadline_is_scaled_and_its_error_is_a_timeout(recorded: Recorded) -> None:
    """As every other duration."""
    run = WorkflowRun(
        RETRY, RetryParams(failure_rate=0, duration=60, deadline=10, time_scale=0.1), Operations()
    )
    await run.execute()
    assert asyncio.get_running_loop().time() == 1
    assert (run.error_members() or {})["type"] == "timeout"
    assert run.result().outcome == "timeout"


async def test_a_cancel_is_raised_and_no_error_of_the_run(recorded: Recorded) -> None:
    """Its cleanups are told by how they ended."""
    work = Operation("work", workflow="test")

    async def hold(params: WorkflowParams, context: RunContext) -> None:
        async def broken() -> None:
            raise OSError("no cleanup")

        cleanups = (lambda: asyncio.sleep(1), lambda: asyncio.sleep(1), broken, lambda: asyncio.sleep(60))
        tasks = [cancellable(work, asyncio.sleep, 60, on_cancel=each, cleanup_timeout=5) for each in cleanups]
        context.reports.extend(each.report for each in tasks)
        try:
            await asyncio.sleep(60)
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.wait([each.task for each in tasks])

    run = WorkflowRun(doing(hold), WorkflowParams(), Operations())
    task = asyncio.create_task(run.execute())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(run.error, asyncio.CancelledError)
    assert run.error_members() is None
    assert run.result().outcome == "cancelled"
    assert run.cleanups() == {"completed": 2, "failed": 1, "timed_out": 1}


async def test_its_span_has_what_it_is_given(recorded: Recorded) -> None:
    """Attributes, and a link to an earlier try."""
    earlier = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    params = RetryParams(failure_rate=0, duration=0)
    attributes = {"retryscope.run.delivery": 2}
    run = WorkflowRun(RETRY, params, Operations(), run_id="a", attributes=attributes, redelivery_of=earlier)
    await run.execute()
    span = recorded.spans()[0]
    assert (span.attributes or {}).items() >= {"retryscope.run.id": "a", **attributes}.items()
    assert [link.context.span_id for link in span.links] == [2]


async def test_an_inline_run_has_the_name_of_its_span_a_background_run_its_own(recorded: Recorded) -> None:
    """Known as soon as it has started, before its tasks do anything."""
    names: list[str] = []

    async def note(params: WorkflowParams, context: RunContext) -> None:
        names.append("tasks")

    for run_id in (None, "a"):
        run = WorkflowRun(doing(note), WorkflowParams(), Operations(), run_id=run_id)
        await run.execute(lambda started: names.append(started.id))
    span = recorded.spans()[0].context
    assert span is not None
    assert names == [f"{span.trace_id:032x}-{span.span_id:016x}", "tasks", "a", "tasks"]


@pytest.mark.parametrize("seed", [None, 0, 7, 2**53 - 1])
async def test_its_parameters_have_the_seed_that_it_ran_with(recorded: Recorded, seed: int | None) -> None:
    """The one that was given, or one that was drawn, and that can be given again."""
    used: list[int | None] = []

    async def note(params: WorkflowParams, context: RunContext) -> None:
        used.append(context.params.seed)

    run = WorkflowRun(doing(note), WorkflowParams(seed=seed, time_scale=0.5), Operations())
    await run.execute()
    again = WorkflowParams.model_validate_json(run.params.model_dump_json())
    assert again == WorkflowParams(seed=used[0], time_scale=0.5)
    assert seed is None or used == [seed]


async def test_its_span_says_what_its_answer_counts(recorded: Recorded) -> None:
    """So that whoever has only the trace sees what failed in a success."""
    run = WorkflowRun(SEQUENTIAL, SequentialParams(tasks=4, failure_rate=1, duration=0), Operations())
    await run.execute()
    attributes = recorded.spans()[0].attributes or {}
    counted = {name.rsplit("run.", 1)[1]: attributes[name] for name in attributes if "retryscope.run" in name}
    assert counted == {
        "tasks.succeeded": 0,
        "tasks.failed": 4,
        "tasks.timed_out": 0,
        "tasks.cancelled": 0,
        "attempts": 4,
    }
