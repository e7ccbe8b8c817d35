"""The console's alerts are those of Prometheus: of the same series both say the same at the same time.

What fires may differ by one evaluation, where it begins and where it ends.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_pascal

from retryscope_service.slo.definition import SloDefinition, read_definition
from retryscope_service.slo.rules import render_rules
from tests.support.console_alerts import Case, Firing, counter, gauge
from tests.support.newer_tools import newer_debian_tool
from tests.support.promtool import Promtool, only

HOUR = 240
"""Steps of 15 s."""
W = {"workflow": "w"}
O = {"workflow": "w", "operation": "o"}  # noqa: E741


def runs(**outcomes: list[float]) -> dict[tuple[str, ...], list[float]]:
    """Runs of one workflow."""
    return {("w", outcome): values for outcome, values in outcomes.items()}


def attempts(**outcomes: list[float]) -> dict[tuple[str, ...], list[float]]:
    """Attempts of one operation."""
    return {("w", "o", outcome): values for outcome, values in outcomes.items()}


CASES = (
    # 14.4 % of the runs is 14.4 times the budget of 1 %; for 2m.
    Case(
        "half of them fail for half an hour, then none",
        "FailureBudgetBurn",
        ({**W, "long": "1h"},),
        window="1h",
        runs=runs(
            success=counter((10, 60), (5, 120), (10, 180)),
            error=counter((0, 60), (5, 120), (0, 180)),
        ),
    ),
    Case(
        "a young process in which 16 % fail, cancelled ones not counted",
        "FailureBudgetBurn",
        ({**W, "long": "1h"},),
        window="1h",
        runs=runs(
            success=counter((8.4, 60)),
            timeout=counter((0.8, 60)),
            exhausted=counter((0.8, 60)),
            cancelled=counter((90.0, 60)),
        ),
    ),
    Case(
        "13 % fail",
        "FailureBudgetBurn",
        (),
        window="1h",
        runs=runs(success=counter((8.7, HOUR)), error=counter((1.3, HOUR))),
    ),
    Case(
        "all fail, but it takes 40 minutes until there are enough of them",
        "FailureBudgetBurn",
        ({**W, "long": "1h"},),
        window="1h",
        runs=runs(success=counter((0.0, HOUR)), error=counter((1 / 16, HOUR))),
    ),
    Case(
        "all fail, too seldom to say anything",
        "FailureBudgetBurn",
        (),
        window="1h",
        runs=runs(success=counter((0.0, 2 * HOUR)), error=counter((9 / HOUR, 2 * HOUR))),
    ),
    Case(
        "two workflows, of which one fails for a while in the middle of a day",
        "FailureBudgetBurn",
        ({**W, "long": "6h"},),
        interval="1m",
        window="6h",
        runs={
            ("w", "success"): counter((10, 420), (2, 60), (10, 240)),
            ("w", "error"): counter((0, 420), (8, 60), (0, 240)),
            ("v", "success"): counter((10, 720)),
            ("v", "error"): counter((0.3, 720)),
        },
    ),
    Case(
        "4 % fail for two hours of a day",
        "FailureBudgetBurn",
        ({**W, "long": "1d"},),
        interval="2m",
        window="1d",
        runs=runs(
            success=counter((100, 300), (60, 90), (100, 330)), error=counter((0, 300), (40, 90), (0, 330))
        ),
    ),
    Case(
        "1.5 % fail for days",
        "FailureBudgetBurn",
        ({**W, "long": "3d"},),
        interval="4m",
        window="3d",
        runs=runs(
            success=counter((100, 300), (97, 400), (100, 200)), error=counter((0, 300), (3, 400), (0, 200))
        ),
    ),
    Case(
        "none ends for 20 minutes while one is in flight",
        "Stalled",
        (W,),
        in_flight={("w",): gauge((2, 81), (1, 80), (0, 80)), ("idle",): gauge((0, 241))},
        runs={("w", "success"): counter((1, 80), (0, 160)), ("idle", "success"): counter((0, 240))},
    ),
    Case(
        "none has ever ended, since the process began",
        "Stalled",
        (W,),
        in_flight={("w",): gauge((1, 121))},
        runs=runs(success=counter((0, 120))),
    ),
    Case(
        "one is cancelled every 9 minutes, and sometimes nothing is in flight",
        "Stalled",
        (),
        in_flight={("w",): gauge((1, 241)), ("v",): gauge(*[(1, 38), (0, 1)] * 6, (1, 7))},
        runs={
            ("w", "cancelled"): counter(*[(0, 35), (1, 1)] * 6, (0, 24)),
            ("w", "success"): counter((0, 240)),
            ("v", "success"): counter((0, 240)),
        },
    ),
    # 5 % of the attempts; for 5m.
    Case(
        "6 % of the attempts time out for a while; cancelled ones are not counted",
        "TimeoutRatioHigh",
        (O,),
        attempts=attempts(
            success=counter((10, 60), (9.4, 80), (10, 100)),
            timeout=counter((0, 60), (0.6, 80), (0, 100)),
            cancelled=counter((50, 240)),
        ),
    ),
    Case(
        "6 % time out, but for 4 minutes only, and 4 % of another operation all the time",
        "TimeoutRatioHigh",
        (),
        attempts={
            ("w", "o", "success"): counter((100, 100), (94, 2), (100, 138)),
            ("w", "o", "timeout"): counter((0, 100), (6, 2), (0, 138)),
            ("w", "p", "success"): counter((9.6, 240)),
            ("w", "p", "timeout"): counter((0.4, 240)),
        },
    ),
    Case(
        "half time out, of nine in 5 minutes",
        "TimeoutRatioHigh",
        (),
        attempts=attempts(success=counter((0.225, 240)), timeout=counter((0.225, 240))),
    ),
    # 28.8 % of it is 14.4 times the budget of 2 %; for 2m.
    Case(
        "60 % of the operation that has an objective fail for half an hour, and of one without",
        "OperationBudgetBurn",
        ({**W, "operation": "promised", "long": "1h"},),
        window="1h",
        operations={
            ("w", operation, outcome): values
            for operation in ("promised", "o")
            for outcome, values in {
                "success": counter((10, 60), (4, 120), (10, 180)),
                "exhausted": counter((0, 60), (6, 120), (0, 180)),
            }.items()
        },
    ),
    Case(
        "27 % of it fail",
        "OperationBudgetBurn",
        (),
        window="1h",
        operations={
            ("w", "promised", "success"): counter((7.3, HOUR)),
            ("w", "promised", "timeout"): counter((2.7, HOUR)),
            ("w", "promised", "cancelled"): counter((10.0, HOUR)),
        },
    ),
    # More than 10 % of an operation, 50 % of risky_task; for 5m.
    Case(
        "12 % of an operation fail for a while, of another one 9 %",
        "OperationFailureRatioHigh",
        (O,),
        operations={
            ("w", "o", "success"): counter((10, 80), (8.8, 80), (10, 80)),
            ("w", "o", "exhausted"): counter((0, 80), (1.2, 80), (0, 80)),
            ("w", "o", "cancelled"): counter((90, 240)),
            ("w", "p", "success"): counter((9.1, 240)),
            ("w", "p", "error"): counter((0.9, 240)),
        },
    ),
    Case(
        "risky_task may fail as often as the document's does, not always",
        "OperationFailureRatioHigh",
        ({"workflow": "w", "operation": "risky_task"},),
        operations={
            ("w", "risky_task", "success"): counter((4, 80), (0, 80), (4, 80)),
            ("w", "risky_task", "error"): counter((1, 80), (5, 80), (1, 80)),
        },
    ),
    Case(
        "all of an operation fail, nine in 5 minutes",
        "OperationFailureRatioHigh",
        (),
        operations={("w", "o", "success"): counter((0, 240)), ("w", "o", "timeout"): counter((0.45, 240))},
    ),
    # More than 2 attempts per operation; for 5m.
    Case(
        "3 attempts for each operation, later 1.5",
        "RetryStorm",
        (O,),
        attempts=attempts(success=counter((2, 160)), error=counter((4, 80), (1, 80))),
        operations={("w", "o", "success"): counter((2, 160))},
    ),
    Case(
        "3 attempts for each operation, for 4 minutes",
        "RetryStorm",
        (),
        attempts=attempts(success=counter((2, 160)), error=counter((1, 80), (4, 16), (0, 64))),
        operations={("w", "o", "success"): counter((2, 160))},
    ),
    # More than 90 % on average; for 10m.
    Case(
        "a pool is full for 20 minutes, another one nearly",
        "ConcurrencySaturated",
        ({"pool": "inline"},),
        pools={("inline",): gauge((20, 80), (100, 80), (0, 81)), ("worker",): gauge((9, 241))},
        limits={("inline",): gauge((100, 241)), ("worker",): gauge((10, 241))},
    ),
    Case(
        "a pool is full, but for 9 minutes",
        "ConcurrencySaturated",
        (),
        pools={("inline",): gauge((20, 80), (100, 36), (0, 45))},
        limits={("inline",): gauge((100, 161))},
    ),
    # More than 0.25 s at the quantile 0.99; for 5m.
    Case(
        "two of a hundred looks at the loop are 0.4 s late for a while",
        "EventLoopLagHigh",
        ({},),
        lag={
            ("0.25",): counter((150, 60), (147, 60), (150, 60)),
            ("0.5",): counter((150, 180)),
            ("1",): counter((150, 180)),
            ("2.5",): counter((150, 180)),
            ("5",): counter((150, 180)),
            ("+Inf",): counter((150, 180)),
        },
    ),
    Case(
        "half a percent of the looks are 0.4 s late",
        "EventLoopLagHigh",
        (),
        lag={
            ("0.25",): counter((149.25, 120)),
            ("0.5",): counter((150, 120)),
            ("1",): counter((150, 120)),
            ("2.5",): counter((150, 120)),
            ("5",): counter((150, 120)),
            ("+Inf",): counter((150, 120)),
        },
    ),
    # More than 25 % of what ended; for 10m.
    Case(
        "30 % are cancelled for a while",
        "CancellationSpike",
        (W,),
        runs=runs(
            success=counter((10, 60), (7, 100), (10, 80)),
            cancelled=counter((0, 60), (3, 100), (0, 80)),
            error=counter((0, 240)),
        ),
    ),
    Case(
        "24 % are cancelled",
        "CancellationSpike",
        (),
        runs=runs(success=counter((7.6, 160)), cancelled=counter((2.4, 160))),
    ),
    Case(
        "spans are lost for one reason, once",
        "TelemetryDropped",
        ({"reason": "queue_full"},),
        dropped={
            ("queue_full",): counter((0, 20), (1, 1), (0, 140)),
            ("already_shutdown",): counter((0, 161), start=3),
        },
    ),
)


@pytest.fixture(scope="module")
def definition() -> SloDefinition:
    """The shipped one, with an objective for one operation."""
    shipped = read_definition()
    objective = shipped.objective.model_copy(update={"operations": {"promised": 0.98}})
    return shipped.model_copy(update={"objective": objective})


@pytest.fixture(params=["Prometheus 2", "Prometheus 3"])
def promtool(request: pytest.FixtureRequest, system_tool: Callable[[str], Path]) -> Promtool:
    if request.param == "Prometheus 2":
        return Promtool(system_tool("promtool"))
    return Promtool(newer_debian_tool("promtool"))


def write_rules(folder: Path, case: Case, definition: SloDefinition) -> None:
    """The one in question, and what it is made of."""
    rules = yaml.safe_load(render_rules(definition))

    def is_it(rule: dict[str, Any]) -> bool:
        return rule.get("alert") == case.alert and rule["labels"].get("long", "") == case.window

    chosen = only(rules, is_it)
    (folder / "rules.yml").write_text(json.dumps(chosen))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.name}")
def test_fires_where_and_when_the_rule_fires(
    case: Case, definition: SloDefinition, promtool: Promtool, tmp_path: Path
) -> None:
    said = case.console(definition)
    fired = {instance for firing in said for instance in firing}
    assert fired == {tuple(sorted(labels.items())) for labels in case.fires}
    write_rules(tmp_path, case, definition)
    (tmp_path / "tests.yml").write_text(json.dumps(case.promtool(said)))
    checked = promtool.test_rules(tmp_path / "tests.yml")
    assert checked.passed, checked.output


def test_notices_an_alert_that_comes_two_evaluations_late(
    definition: SloDefinition, promtool: Promtool, tmp_path: Path
) -> None:
    """Otherwise the test above would prove nothing."""
    case = next(case for case in CASES if case.alert == "TelemetryDropped")
    nothing: Firing = frozenset()
    late = [nothing, nothing, *case.console(definition)[:-2]]
    write_rules(tmp_path, case, definition)
    (tmp_path / "tests.yml").write_text(json.dumps(case.promtool(late)))
    assert not promtool.test_rules(tmp_path / "tests.yml").passed


def test_has_for_each_alert_a_case_that_fires_and_one_that_does_not(definition: SloDefinition) -> None:
    """But for ServiceDown, which a service can't say of itself, and a lost span, which always fires."""
    burns = {("FailureBudgetBurn", str(burn.long)) for burn in definition.burn_rates}
    burns.add(("OperationBudgetBurn", "1h"))
    others = {(to_pascal(name), "") for name in type(definition.alerts).model_fields}
    fire, fire_not = (
        {(case.alert, case.window) for case in CASES if bool(case.fires) is does} for does in (True, False)
    )
    assert fire == (burns | others) - {("ServiceDown", "")}
    assert {name for name, _ in fire_not} == {name for name, _ in fire} - {"TelemetryDropped"}
