"""Operations: declared once, bounded, never built from arguments."""

import asyncio
import enum
import pickle
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import generate_latest

from retryscope import Operation, RetryPolicy, cleanup, gather, operation, retry, step, timeout, workflow
from retryscope._recording.telemetry import active
from retryscope.metrics import MAX_OPERATIONS
from retryscope.operation import declared, is_declared, observe, require_operation
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, Script, sleeper, value_of


def test_declaring_creates_every_series_at_zero(recorded: Recorded) -> None:
    """So that ``rate()`` sees the first increment."""
    before = recorded.samples()
    Operation("ship", workflow="delivery", error_types=("CarrierError",))
    new = {key: value for key, value in recorded.samples().items() if key not in before}
    assert set(new.values()) == {0.0}
    assert {dict(labels).get("operation") for _, labels in new} == {"ship", None}  # None: the workflow's own
    assert (
        "resilience_attempts_total",
        (
            ("error_type", "CarrierError"),
            ("operation", "ship"),
            ("outcome", "error"),
            ("workflow", "delivery"),
        ),
    ) in new


@pytest.mark.parametrize(("name", "home"), [("", "w"), ("n", ""), ("n" * 101, "w"), ("n", "w" * 101)])
def test_names_have_1_to_100_characters(name: str, home: str) -> None:
    """The error says which one."""
    what = "name" if len(name) != 1 else "workflow"
    shown = repr((name if what == "name" else home)[:98])[:-1]
    with pytest.raises(ValueError, match=f"Operation {what} must have 1 to 100 characters, got {shown}"):
        Operation(name, workflow=home)


def test_100_characters_are_still_a_name() -> None:
    assert Operation("n" * 100, workflow="w" * 100).name == "n" * 100


def test_a_declared_operation_is_found_by_its_name() -> None:
    """In its own workflow only."""
    assert Operation.lookup("price", workflow="checkout") is PRICE
    assert PRICE in declared()
    assert repr(PRICE) == "Operation('price', workflow='checkout')"


def test_what_is_declared_in_a_workflow_is_known(recorded: Recorded) -> None:
    assert is_declared("price", "checkout")
    assert not is_declared("price", "delivery")


def test_whoever_observes_is_told_of_what_is_declared_and_of_what_is_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Declared again, or looked up, it is nothing new."""
    monkeypatch.setattr(operation, "_on_declare", [])
    monkeypatch.setattr(operation, "_on_fold", [])
    seen: list[object] = []
    observe(declared=seen.append, folded=lambda: seen.append("folded"))
    ship = Operation("ship", workflow="delivery")
    assert Operation.lookup("ship", workflow="delivery") is Operation("ship", workflow="delivery")
    assert seen == [ship]
    other = Operation.lookup("ship of user 4711", workflow="delivery")
    assert seen == [ship, "folded", other]


def test_threads_that_declare_it_at_the_same_time_get_the_same_object(recorded: Recorded) -> None:
    others: list[Operation] = []

    class Slow(tuple[str, ...]):
        """While it is looked at, another thread is faster."""

        __slots__ = ()

        def __iter__(self) -> Iterator[str]:
            if not others:
                thread = threading.Thread(
                    target=lambda: others.append(Operation("ship", workflow="delivery"))
                )
                thread.start()
                thread.join()
            return super().__iter__()

    assert [Operation("ship", workflow="delivery", error_types=Slow(("OSError",)))] == others


def test_in_another_workflow_and_in_another_process_it_has_the_same_error_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ship = Operation("ship", workflow="delivery", error_types=("CarrierError",))
    assert ship.within("returns").error_types == ("CarrierError",)
    written = pickle.dumps(ship)
    monkeypatch.setattr(operation, "_declared", {})
    declared_there = pickle.loads(written)  # noqa: S301
    assert declared_there is not ship
    assert declared_there in declared()
    assert (declared_there.workflow, declared_there.error_types) == ("delivery", ("CarrierError",))


def test_an_undeclared_name_is_folded_into_other_and_counted(recorded: Recorded) -> None:
    """What comes from outside can't make new series."""
    first = Operation.lookup("price of user 4711", workflow="checkout")
    second = Operation.lookup("price of user 4712", workflow="checkout")
    assert first is second
    assert (first.name, first.workflow) == ("_OTHER", "checkout")
    assert value_of(recorded, "resilience_telemetry_folded_labels_total", label="operation") == 2
    assert Operation.lookup("_OTHER", workflow="checkout") is first
    assert value_of(recorded, "resilience_telemetry_folded_labels_total", label="operation") == 2


def test_the_201st_operation_is_folded_into_other_of_its_workflow(recorded: Recorded) -> None:
    """A program that declares operations in a loop is kept within the bound, and told so."""
    for number in range(MAX_OPERATIONS - len(declared())):
        Operation(f"op {number}", workflow="flood")
    assert value_of(recorded, "resilience_telemetry_folded_labels_total", label="operation") == 0
    over = Operation("one too many", workflow="flood")
    stranger = Operation("in a workflow of its own", workflow="new")
    assert value_of(recorded, "resilience_telemetry_folded_labels_total", label="operation") == 2

    async def main() -> None:
        async with step(over), step(stranger):
            pass

    run(main())
    counted = {
        (dict(labels)["workflow"], dict(labels)["operation"])
        for (name, labels), value in recorded.samples().items()
        if name == "resilience_operation_duration_seconds_count" and value
    }
    assert counted == {("flood", "_OTHER"), ("_OTHER", "_OTHER")}


def test_the_201st_workflow_name_is_folded_as_well(recorded: Recorded) -> None:
    """Workflows have the same bound."""
    metrics = active().metrics
    for number in range(MAX_OPERATIONS):
        metrics.of_workflow(f"workflow {number}")
    assert metrics.of_workflow("one too many") is metrics.of_workflow("_OTHER")
    assert value_of(recorded, "resilience_telemetry_folded_labels_total", label="workflow") > 0


def _ended(recorded: Recorded) -> dict[tuple[str, str], float]:
    """Operations that ended, by workflow and name."""
    found: dict[tuple[str, str], float] = {}
    for (name, labels), value in recorded.samples().items():
        if name == "resilience_operation_duration_seconds_count" and value:
            known = dict(labels)
            key = known["workflow"], known["operation"]
            found[key] = found.get(key, 0) + value
    return found


@pytest.mark.parametrize("home", [None, "shared"])
def test_a_helper_shared_by_two_workflows_counts_under_each(recorded: Recorded, home: str | None) -> None:
    """Also where they run at the same time, through one ``retry``; outside of any as declared."""
    helper = Operation("helper", workflow=home)
    call = retry(helper, RetryPolicy(base_delay=1, jitter="none"))

    async def in_workflow(name: str, failures: int) -> None:
        async with workflow(name):
            await call.call(Script(*[OSError()] * failures, "done", takes=1))
            async with timeout(helper, 60), step(helper):
                await gather(helper, {"one": sleeper(1)})
                await cleanup(helper, retry(helper)(sleeper(1)))

    async def main() -> None:
        await asyncio.gather(in_workflow("basket", 1), in_workflow("wishlist", 2))
        await call.call(sleeper(1))

    run(main())
    # The first retry, the timeout with the task in it, and the retry in the cleanup.
    assert _ended(recorded) == {("basket", "helper"): 3, ("wishlist", "helper"): 3, (home or "", "helper"): 1}
    root: dict[int, object] = {}
    for span in recorded.spans():
        assert span.context is not None
        own = (span.attributes or {}).get("resilience.workflow")
        around = own if span.parent is None else root.get(span.parent.span_id, own)
        root[span.context.span_id] = around
        assert own == around, span.name
    assert set(root.values()) == {"basket", "wishlist", home}


def test_the_inner_workflow_counts_where_two_are_nested(recorded: Recorded) -> None:
    async def main() -> None:
        async with workflow("outer"), workflow("inner"), step(PRICE):
            pass

    run(main())
    assert _ended(recorded) == {("inner", "price"): 1}


def test_an_operation_of_no_workflow_makes_no_series_of_a_workflow(recorded: Recorded) -> None:
    before = recorded.samples()

    async def main() -> None:
        async with step(Operation("engine", error_types=("OSError",))):
            pass

    run(main())
    new = [(name, dict(labels)) for name, labels in recorded.samples().keys() - before.keys()]
    assert {labels.get("workflow") for _, labels in new} == {""}
    assert {labels.get("operation") for _, labels in new} == {"engine"}
    (span,) = recorded.spans()
    assert "resilience.workflow" not in (span.attributes or {})


def test_workflows_without_bound_leave_operations_under_their_own_names(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A workflow that is named after an order makes no series without end, and hides no operation."""

    async def main() -> None:
        for number in range(2 * MAX_OPERATIONS):
            async with workflow(f"order {number}"), step(PRICE):
                pass

    run(main())
    ended = _ended(recorded)
    assert sum(ended.values()) == 2 * MAX_OPERATIONS
    assert len(ended) <= MAX_OPERATIONS
    assert ended["checkout", "price"] >= MAX_OPERATIONS
    assert {operation for _, operation in ended} == {"price"}
    assert value_of(recorded, "resilience_telemetry_folded_labels_total", label="workflow") > 0
    assert len([message for message in caplog.messages if "undeclared workflow" in message]) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [("caf\udce9", r"'caf\\udce9'"), ("\ud800", r"'\\ud800'"), ("", "''"), ("n" * 101, "'nnn")],
)
def test_a_name_that_no_label_should_have_is_refused(name: str, shown: str) -> None:
    """Of an operation, of its workflow, of a workflow."""
    for make in (
        lambda: Operation(name, workflow="w"),
        lambda: Operation("n", workflow=name),
        lambda: workflow(name),
    ):
        with pytest.raises(
            ValueError,
            match=r"must (be text that UTF-8 can write|have 1 to 100 characters), got " + shown,
        ):
            make()


def test_error_types_that_cannot_be_written_do_not_cost_the_scrape(recorded: Recorded) -> None:
    """A class may be made with any name."""
    ship = Operation("ship", workflow="delivery", error_types=("Caf\udce9",))

    async def main() -> None:
        with suppress(Exception):
            async with step(ship):
                raise type("Caf\udce9" * 200, (Exception,), {})

    run(main())
    assert 'error_type="Caf\\\\udce9"' in generate_latest(recorded.registry).decode()


class Name(str, enum.Enum):  # noqa: UP042 - whose str() is another than its value
    PRICE = "price of an enumeration"


def test_a_member_of_an_enumeration_is_the_text_that_it_equals() -> None:
    """Its ``str()`` is another one: labels and spans would disagree."""
    named = Operation(Name.PRICE, workflow="checkout")
    assert (type(named.name), named.name) == (str, Name.PRICE.value)
    assert Operation(Name.PRICE.value, workflow="checkout") is named


@pytest.mark.parametrize("name", [b"price", 5, None, ("price",), ["price"], {"price"}, object()])
def test_a_name_that_is_no_text_is_a_type_error(name: Any) -> None:
    shown = re.escape(repr(name))
    with pytest.raises(TypeError, match=rf"^Operation name must be a str, got {shown}"):
        Operation(name)
    with pytest.raises(TypeError, match=rf"^workflow name must be a str, got {shown}"):
        workflow(name)


@pytest.mark.parametrize(
    ("error_types", "shown"), [("OSError", "'OSError'"), ((OSError,), r"\(<class 'OSError'>,\)")]
)
def test_error_types_are_names(error_types: Any, shown: str) -> None:
    wanted = rf"^Operation takes .* tuple of qualified names, as \('TimeoutError',\), got {shown}$"
    with pytest.raises(TypeError, match=wanted):
        Operation("with odd error types", workflow="checkout", error_types=error_types)


def test_a_name_instead_of_an_operation_is_told_how_to_declare_it() -> None:
    with pytest.raises(TypeError) as caught:
        require_operation("retry", "price")
    hint = ": declare it once, Operation('price')"
    assert str(caught.value) == f"retry takes an Operation first, got 'price'{hint}"
    with pytest.raises(TypeError, match=r"^retry takes an Operation first, got 3$"):
        require_operation("retry", 3)
