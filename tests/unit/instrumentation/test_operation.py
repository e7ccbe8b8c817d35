"""Operations: declared once, bounded, never built from arguments."""

import pytest

from instrumentation import Operation, task
from instrumentation.metrics import MAX_OPERATIONS
from instrumentation.operation import declared
from instrumentation.telemetry import active
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.instrumentation.helpers import PRICE, value_of


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


@pytest.mark.parametrize(("name", "workflow"), [("", "w"), ("n", ""), ("n" * 101, "w"), ("n", "w" * 101)])
def test_names_have_1_to_100_characters(name: str, workflow: str) -> None:
    """The error says which one."""
    what = "name" if len(name) != 1 else "workflow"
    with pytest.raises(ValueError, match=f"Operation {what} must have 1 to 100 characters"):
        Operation(name, workflow=workflow)


def test_a_declared_operation_is_found_by_its_name() -> None:
    """In its own workflow only."""
    assert Operation.lookup("price", workflow="checkout") is PRICE
    assert PRICE in declared()
    assert repr(PRICE) == "Operation('price', workflow='checkout')"


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
        async with task(over), task(stranger):
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
