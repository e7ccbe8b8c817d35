"""Who cancelled: the reason given, and with the task factory also which task asked, and where."""

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FunctionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope import CancelRequest, cancel_on_exit, cancellable, gather, request_cancel, retry, step
from retryscope import task_factory as signing_tasks
from retryscope.printable import MAX_TEXT
from retryscope_service.traces.otlp_json import to_otlp_json
from tests.support import clock
from tests.support.clock import run
from tests.support.recorded import Recorded, recording
from tests.support.texts import TEXTS
from tests.unit.retryscope.helpers import PRICE, STOCK, named, sleeper

HERE = __name__


def who(recorded: Recorded, name: str = "task price") -> dict[str, Any]:
    """What a span says of its cancel, without the line and the prefix."""
    attributes = named(recorded, name).attributes or {}
    found = {key.removeprefix("resilience.cancel."): value for key, value in attributes.items()}
    known: dict[str, Any] = {
        key: found[key] for key in ("cause", "reason", "task", "location") if key in found
    }
    if "location" in known:
        known["location"] = str(known["location"]).rpartition(":")[0]
    return known


async def working() -> None:
    async with step(PRICE):
        await asyncio.sleep(60)


def sign() -> None:
    asyncio.get_running_loop().set_task_factory(signing_tasks)


async def start(signed: bool = True) -> asyncio.Task[None]:
    """A task that has begun to work."""
    if signed:
        sign()
    running = asyncio.create_task(working(), name="worker")
    await asyncio.sleep(1)
    return running


def test_without_the_factory_the_reason_alone_is_known(recorded: Recorded) -> None:
    async def main() -> None:
        running = await start(signed=False)
        running.cancel("no longer needed")
        await asyncio.wait([running])

    run(main())
    assert who(recorded) == {"cause": "request", "reason": "no longer needed"}


def test_a_cancel_says_which_task_asked_and_where(recorded: Recorded) -> None:
    """On the span, on its event, and in the exception's own text; the metric has the cause only."""
    seen: list[asyncio.CancelledError] = []

    async def supervise() -> None:
        running = await start()
        running.cancel("no longer needed")
        try:
            await running
        except asyncio.CancelledError as cancel:
            seen.append(cancel)

    async def main() -> None:
        sign()
        await asyncio.create_task(supervise(), name="supervisor")

    with recorded.changes() as changes:
        run(main())
    place = f"{HERE}.test_a_cancel_says_which_task_asked_and_where.<locals>.supervise"
    expected = {"cause": "request", "reason": "no longer needed", "task": "supervisor", "location": place}
    assert who(recorded) == expected
    span = named(recorded, "task price")
    (event,) = span.events
    assert (event.attributes or {}).items() <= (span.attributes or {}).items()
    assert len(event.attributes or {}) == 4
    assert str(seen[0]).startswith(f"no longer needed, by task supervisor, at {place}:")
    counted = [name for name in changes if name.startswith("resilience_cancellations")]
    assert counted == [
        'resilience_cancellations_total{cause="request", operation="price", workflow="checkout"}'
    ]


def test_the_message_equals_what_was_given_for_code_that_looks_at_it() -> None:
    """Libraries tell their own cancels by the message."""

    async def main() -> None:
        running = await start()
        running.cancel("Cancelled via cancel scope 7f")
        with pytest.raises(asyncio.CancelledError) as caught:
            await running
        (message,) = caught.value.args
        assert isinstance(message, str)
        assert message == "Cancelled via cancel scope 7f"
        assert message.startswith("Cancelled via")

    with recording():
        run(main())


def test_a_request_with_cause_and_reason_says_all(recorded: Recorded) -> None:
    texts: list[str] = []

    async def main() -> None:
        running = await start()
        request_cancel(running, "shutdown", reason="a new version")
        try:
            await running
        except asyncio.CancelledError as cancel:
            texts.append(str(cancel))

    run(main())
    found = who(recorded)
    assert (found["cause"], found["reason"]) == ("shutdown", "a new version")
    assert found["location"].endswith("test_a_request_with_cause_and_reason_says_all.<locals>.main")
    assert texts[0].startswith("cancelled: shutdown (a new version), by task ")


async def by_timeout() -> None:
    sign()
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await working()


async def by_task_group() -> None:
    sign()

    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError

    with suppress(BaseExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(working())
            group.create_task(fail(), name="the one that failed")


async def by_asyncio_gather() -> None:
    running = await start()
    gathered = asyncio.gather(running, asyncio.sleep(60))
    await asyncio.sleep(1)
    gathered.cancel("enough")
    with suppress(asyncio.CancelledError):
        await gathered


async def by_wait_for() -> None:
    sign()
    with suppress(TimeoutError):
        await asyncio.wait_for(working(), 1)


async def by_a_sibling() -> None:
    sign()

    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError

    with suppress(ExceptionGroup):
        await gather(STOCK, {"works": working, "fails": fail}, fail_fast=True)


async def by_the_end_of_a_block() -> None:
    sign()
    async with cancel_on_exit([cancellable(PRICE, sleeper(60))]):
        await asyncio.sleep(1)


async def by_the_event_loop() -> None:
    running = await start()
    assert not running.done()


async def by_the_task_it_awaits() -> None:
    running = await start()

    async def waiting() -> None:
        await running

    outer = asyncio.create_task(waiting(), name="outer")
    await asyncio.sleep(1)
    outer.cancel("stop")
    await asyncio.wait([outer])


@pytest.mark.parametrize(
    ("cancelling", "location", "cause"),
    [
        (by_timeout, "asyncio.timeouts.Timeout._on_timeout", "request"),
        (by_task_group, "asyncio.taskgroups.TaskGroup._abort", "request"),
        (by_asyncio_gather, f"{HERE}.by_asyncio_gather", "request"),
        (by_wait_for, None, "request"),
        (by_a_sibling, "retryscope.concurrency._stop_at_first_error.<locals>.ended", "sibling"),
        (by_the_end_of_a_block, f"{HERE}.by_the_end_of_a_block", "request"),
        (by_the_event_loop, "asyncio.runners._cancel_all_tasks", "request"),
        (by_the_task_it_awaits, f"{HERE}.by_the_task_it_awaits", "request"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_way_to_cancel_names_its_place(
    recorded: Recorded, cancelling: Callable[[], Any], location: str | None, cause: str
) -> None:
    """The nearest code outside of asyncio and this library; else what asyncio was doing."""

    async def main() -> None:
        sign()
        await asyncio.create_task(cancelling())

    run(main())
    found = who(recorded)
    assert found["cause"] == cause
    if location is None:  # a timer from Python 3.12 on, before that wait_for itself
        location = next(
            iter({found["location"]} & {"asyncio.timeouts.Timeout._on_timeout", f"{HERE}.by_wait_for"})
        )
    assert found["location"] == location


def test_a_message_that_is_no_text_is_kept_and_shown(recorded: Recorded) -> None:
    reason = ValueError("mine")

    async def main() -> None:
        running = await start()
        running.cancel(reason)
        with pytest.raises(asyncio.CancelledError) as caught:
            await running
        assert caught.value.args == (reason,)

    run(main())
    assert who(recorded) == {"cause": "request", "reason": "mine"}


def test_a_message_that_cannot_be_shown_says_so(recorded: Recorded) -> None:
    class Shy:
        def __str__(self) -> str:
            raise RuntimeError

    async def main() -> None:
        running = await start()
        running.cancel(Shy())
        await asyncio.wait([running])

    run(main())
    assert str(who(recorded)["reason"]).endswith("Shy that can't be shown>")


def test_a_task_that_has_ended_is_not_cancelled(recorded: Recorded) -> None:
    async def main() -> None:
        sign()
        done = asyncio.create_task(asyncio.sleep(0))
        await done
        assert not done.cancel("late")

    run(main())


def test_a_signal_that_cancels_has_a_place_too(recorded: Recorded) -> None:
    """What ``asyncio.run`` does on SIGINT happens in no task."""

    async def main() -> None:
        running = await start()
        loop = asyncio.get_running_loop()
        loop.call_soon(running.cancel)
        await asyncio.wait([running])

    run(main())
    place = "asyncio.runners.Runner.run" if clock.on_uvloop else "asyncio.events.Handle._run"
    assert who(recorded) == {"cause": "request", "location": place}


def test_code_far_below_its_module_is_cut_and_keeps_its_line(recorded: Recorded) -> None:
    def stop(running: asyncio.Task[None]) -> None:
        running.cancel()

    elsewhere = FunctionType(stop.__code__.replace(co_firstlineno=1), {"__name__": "m" * 400})

    async def main() -> None:
        running = await start()
        elsewhere(running)
        await asyncio.wait([running])

    run(main())
    location = (named(recorded, "task price").attributes or {})["resilience.cancel.location"]
    assert str(location).endswith("m:2")
    assert len(str(location)) == MAX_TEXT - 10 + len(":2")


@given(TEXTS | TEXTS.map(lambda text: text * 200), TEXTS, st.booleans(), st.booleans())
def test_whatever_text_is_given_can_be_exported(text: str, name: str, signed: bool, ours: bool) -> None:
    """Lone halves of characters, control characters and length: one odd reason must not cost a batch."""

    async def main() -> None:
        running = await start(signed)
        by = asyncio.current_task()
        assert by is not None
        by.set_name(name)
        if ours:
            request_cancel(running, reason=text)
        else:
            running.cancel(text)
        await asyncio.wait([running])

    with recording() as recorded:
        run(main())
        found = who(recorded)
        for said in found.values():
            assert said.isprintable()
            assert len(said) <= MAX_TEXT
        assert ("reason" in found) == bool(text)
        assert ("task" in found) == signed
        to_otlp_json(recorded.spans())
        if text.isprintable() and len(text) <= MAX_TEXT:
            assert found.get("reason", "") == text


def test_a_cancelled_attempt_and_a_cancelled_wait_say_it_too(recorded: Recorded) -> None:
    async def main() -> None:
        sign()
        running = asyncio.create_task(retry(PRICE).call(sleeper(60)))
        await asyncio.sleep(1)
        running.cancel("enough")
        await asyncio.wait([running])

    run(main())
    assert who(recorded, "attempt price") == who(recorded, "retry price")
    assert who(recorded, "attempt price")["reason"] == "enough"


def test_a_request_shows_what_it_knows() -> None:
    assert str(CancelRequest("request", location="shop.stop:3")) == "cancelled: request, at shop.stop:3"


def test_a_task_gets_all_that_create_task_was_given() -> None:
    async def main() -> None:
        sign()
        context = contextvars.Context()
        named = asyncio.create_task(set_tenant("a"), name="worker", context=context)
        assert named.get_name() == "worker"
        await named
        assert context[tenant] == "a"
        assert named.cancel() is False

    tenant = contextvars.ContextVar[str]("tenant")

    async def set_tenant(name: str) -> None:
        tenant.set(name)

    run(main())


def test_a_cancel_between_two_runs_of_a_loop_is_by_no_task() -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.set_task_factory(signing_tasks)
        for message in (None, CancelRequest("shutdown")):
            stuck: asyncio.Task[None] = loop.create_task(asyncio.sleep(60))
            stuck.cancel(message)
            with pytest.raises(asyncio.CancelledError) as caught:
                loop.run_until_complete(stuck)
            assert caught.value.args[0].task is None
            assert caught.value.args[0].location.startswith(f"{HERE}.test_a_cancel_between_two_runs")
    finally:
        loop.close()


def test_code_that_no_module_holds_has_a_place(recorded: Recorded) -> None:
    """As a notebook's or a template's."""

    def stop(running: asyncio.Task[None]) -> None:
        running.cancel()

    def main_of(names: dict[str, Any]) -> Callable[[], Any]:
        async def main() -> None:
            running = await start()
            FunctionType(stop.__code__, names)(running)
            await asyncio.wait([running])

        return main

    run(main_of({})())
    assert str(who(recorded)["location"]).startswith("?.test_code_that_no_module_holds_has_a_place")


def test_what_only_passes_a_cancel_on_is_not_its_place(recorded: Recorded) -> None:
    async def main() -> None:
        running = await start()
        with ExitStack() as stack:
            stack.callback(running.cancel)
        await asyncio.wait([running])

    run(main())
    assert str(who(recorded)["location"]).startswith(HERE)
