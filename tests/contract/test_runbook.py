"""The runbook: every alert has its section, and what the section tells the reader to run can be run."""

import re
from typing import Any

import pytest
import yaml

from retryscope_service.load.scenarios import SCENARIOS
from retryscope_service.slo.definition import read_definition
from retryscope_service.slo.rules import render_rules
from tests.conftest import ROOT
from tests.support.names import ATTRIBUTES

SHIPPED = read_definition()
# With an objective for an operation, or one of the alerts that there may be is missing.
_OBJECTIVE = SHIPPED.objective.model_copy(update={"operations": {"risky_task": 0.99}})
RULES: Any = yaml.safe_load(render_rules(SHIPPED.model_copy(update={"objective": _OBJECTIVE})))
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
PAGE = (ROOT / "docs/runbook.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
RUNBOOK_URL = SHIPPED.runbook_url
PARTS = ("Meaning", "Impact", "First look", "Mitigation", "Provoke it")


def blocks(section: str, language: str) -> list[str]:
    """Each line of the code blocks of a language: one expression a line."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines()]


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    assert list(SECTIONS) == list(ALERTS)


def test_the_page_about_alerts_lists_them_with_their_severities() -> None:
    page = (ROOT / "docs/alerts.md").read_text()
    rows = re.findall(r"^\| (\w+) \| .+ \| ([a-z, ]+) \|$", page, flags=re.MULTILINE)
    severities: dict[str, list[str]] = {alert: [] for alert in ALERTS}
    for rule in (rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule):
        severities[rule["alert"]].append(rule["labels"]["severity"])
    assert dict(rows[1:]) == {alert: ", ".join(each) for alert, each in severities.items()}


@pytest.mark.parametrize("alert", ALERTS)
def test_the_link_of_an_alert_leads_to_its_section(alert: str) -> None:
    """Every rule of that name; a heading's id is its text in lower case, as the page has it."""
    links = {
        rule["annotations"]["runbook_url"]
        for group in RULES["groups"]
        for rule in group["rules"]
        if rule.get("alert") == alert
    }
    headings = [heading for heading in SECTIONS if links == {f"{RUNBOOK_URL}#{heading.lower()}"}]
    assert headings == [alert]


@pytest.mark.parametrize("alert", SECTIONS)
def test_a_section_has_all_its_parts_with_something_in_them(alert: str) -> None:
    parts = re.findall(
        r"^\*\*([^\n*]+)\.\*\*(.*?)(?=^\*\*|\Z)", SECTIONS[alert], flags=re.MULTILINE | re.DOTALL
    )
    assert tuple(name for name, _ in parts) == PARTS
    assert [name for name, text in parts if len(text.split()) < 4] == []


@pytest.mark.parametrize("alert", SECTIONS)
def test_a_section_shows_where_to_look_in_metrics_and_in_traces(alert: str) -> None:
    first_look = SECTIONS[alert].partition("**First look.**")[2].partition("**Mitigation.**")[0]
    assert blocks(first_look, "promql")
    assert blocks(first_look, "traceql")
    assert blocks(SECTIONS[alert], "promql") == blocks(first_look, "promql")


@pytest.mark.parametrize("expression", blocks(PAGE, "traceql"))
def test_each_search_is_traceql_of_attributes_that_exist(expression: str) -> None:
    """There is no parser of TraceQL in Python: this checks its words."""
    selector = re.match(r"\{ (.+?) \}(?: \| (?:rate\(\)|select\((.+)\)))?$", expression)
    assert selector, expression
    known = {f"span.{name}" for name in ATTRIBUTES} | {
        "resource.service.name",
        "name",
        "kind",
        "duration",
    }
    conditions = selector[1].split(" && ")
    condition = re.compile(r'([\w.]+) (?:=~|!~|!=|=|>|<) (?:"[^"]*"|\d+(?:ms|s)?|server)')
    matches = [condition.fullmatch(each) for each in conditions]
    names = {match[1] if match else None for match in matches} | ({selector[2]} if selector[2] else set())
    assert names <= known, expression


@pytest.mark.parametrize("alert", SECTIONS)
def test_a_section_names_the_scenario_that_provokes_its_alert(alert: str) -> None:
    """Those without one say how else."""
    named = re.findall(r"--scenario ([\w-]+)", SECTIONS[alert].partition("**Provoke it.**")[2])
    assert named == [name for name, scenario in SCENARIOS.items() if scenario.alert == alert]


@pytest.mark.parametrize("alert", ALERTS)
def test_a_section_names_the_thresholds_of_the_rules(alert: str) -> None:
    """Numbers in prose go stale first."""
    alerts = SHIPPED.alerts
    burns = [f"{burn.factor:g} times" for burn in SHIPPED.burn_rates if burn.factor != 1]
    wanted = {
        "FailureBudgetBurn": burns,
        "OperationBudgetBurn": burns,
        "Stalled": [f"{alerts.stalled.window.seconds / 60:g} minutes"],
        "ServiceDown": [f"{alerts.service_down.for_.seconds / 60:g} minutes"],
        "OperationFailureRatioHigh": [
            f"{bound * 100:g} %"
            for bound in (
                alerts.operation_failure_ratio_high.threshold,
                *alerts.operation_failure_ratio_high.operations.values(),
            )
        ],
        "TimeoutRatioHigh": [f"{alerts.timeout_ratio_high.threshold * 100:g} %"],
        "RetryStorm": [f"more than {alerts.retry_storm.threshold:g} attempts"],
        "ConcurrencySaturated": [f"{alerts.concurrency_saturated.threshold * 100:g} %"],
        "EventLoopLagHigh": [f"{alerts.event_loop_lag_high.threshold:g} s"],
        "CancellationSpike": [f"{alerts.cancellation_spike.threshold * 100:g} %"],
        "TelemetryDropped": [f"{alerts.telemetry_dropped.window.seconds / 60:g} minutes"],
    }[alert]
    meaning = " ".join(SECTIONS[alert].partition("**Impact.**")[0].split())
    assert [words for words in wanted if words not in meaning] == []
