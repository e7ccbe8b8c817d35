"""The unit tests of the rules notice every fault: each rule is broken in every way, and they must fail."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.support.promtool import Promtool, failure_ratio_tests, only, read_tests
from tests.support.rule_mutations import Rule, mutants

RULES = yaml.safe_load((Path(__file__).parents[2] / "deploy/prometheus/rules/retryscope.yml").read_text())
ALL = [rule for group in RULES["groups"] for rule in group["rules"]]

FAILURE_RATIO = "job_workflow:resilience_workflow_failures:ratio_rate"
TESTS_OF_RECORDED = {
    "job_workflow:resilience_workflow_runs:increase15m": "runs_counted.yml",
    "job_workflow:resilience_workflow_failures:increase15m": "failures_counted.yml",
    "job_workflow:resilience_failure_budget:ratio": "failure_budget.yml",
    "job_workflow_operation:resilience_operation_failures_bound:ratio": "operation_failures_bound.yml",
    "job_workflow:resilience_failure_budget_remaining:ratio": "failure_budget_remaining.yml",
    "job_workflow_operation:resilience_attempts_per_operation:ratio_rate5m": "attempts_per_operation.yml",
}
TESTS_OF_ALERTS = {
    "Stalled": "stalled.yml",
    "ServiceDown": "service_down.yml",
    "OperationFailureRatioHigh": "operation_failure_ratio_high.yml",
    "TimeoutRatioHigh": "timeout_ratio_high.yml",
    "RetryStorm": "retry_storm.yml",
    "ConcurrencySaturated": "concurrency_saturated.yml",
    "EventLoopLagHigh": "event_loop_lag_high.yml",
    "CancellationSpike": "cancellation_spike.yml",
    "TelemetryDropped": "telemetry_dropped.yml",
}


def name_of(rule: Rule) -> str:
    """What tells a rule from all others."""
    name = rule.get("record") or rule["alert"]
    return f"{name}_{rule['labels']['long']}" if name == "FailureBudgetBurn" else name


def unit_tests_for(rule: Rule) -> Any:
    """The test file for a rule."""
    name = name_of(rule)
    if name.startswith(FAILURE_RATIO):
        return failure_ratio_tests(name.removeprefix(FAILURE_RATIO))
    if "record" in rule:
        return read_tests(TESTS_OF_RECORDED[name])
    if rule["alert"] == "FailureBudgetBurn":
        return read_tests(f"failure_budget_burn_{rule['labels']['long']}.yml")
    return read_tests(TESTS_OF_ALERTS[name])


def with_fault(rule: Rule, candidate: Rule) -> Any:
    """The rules with another one in the place of one, but for those that neither needs."""
    groups = [
        {**group, "rules": [candidate if each is rule else each for each in group["rules"]]}
        for group in RULES["groups"]
    ]
    return only({"groups": groups}, lambda each: each is candidate)


@pytest.mark.parametrize("rule", ALL, ids=name_of)
def test_no_fault_of_a_rule_survives_its_tests(
    rule: Rule, tmp_path: Path, system_tool: Callable[[str], Path]
) -> None:
    """Without a fault the tests pass; with any one they don't."""
    promtool = Promtool(system_tool("promtool"))
    tests = unit_tests_for(rule)
    cases = [json.dumps({**tests, "tests": [each]}) for each in tests["tests"]]  # JSON is YAML, but faster
    noticed = [0] * len(cases)

    def survives(number: int, candidate: Rule) -> bool:
        promql_parser.parse(candidate["expr"])  # what does not even parse would be noticed without any test
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "rules.yml").write_text(json.dumps(with_fault(rule, candidate)))
        # One case after the other, those first that have noticed most: mostly one is enough.
        for case in sorted(range(len(cases)), key=noticed.__getitem__, reverse=True):
            (folder / "tests.yml").write_text(cases[case])
            if not promtool.test_rules(folder / "tests.yml").passed:
                noticed[case] += 1
                return False
        return True

    assert survives(0, rule), "the tests must pass as long as the rule is right"
    faulty = list(mutants(rule))
    assert len(faulty) > 4
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        survived = list(threads.map(survives, range(1, len(faulty) + 1), [each.rule for each in faulty]))
    assert [each.fault for each, alive in zip(faulty, survived, strict=True) if alive] == []
