"""The committed rules and configurations: up to date, accepted by Prometheus, and doing what they should."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from retryscope import operation, semconv
from retryscope.metrics import MAX_OPERATIONS, Metrics
from retryscope.operation import Operation
from retryscope.outcome import OUTCOMES
from retryscope_service.slo.definition import SloDefinition, read_definition
from retryscope_service.slo.duration import Duration
from retryscope_service.slo.rules import prometheus_rule, render_rules
from tests.conftest import ROOT
from tests.support.known import is_known, table
from tests.support.newer_tools import newer_debian_tool
from tests.support.promql import metric_uses
from tests.support.promtool import TESTS, Promtool, failure_ratio_tests, only, read_tests, slower

RULES = ROOT / "deploy/prometheus/rules/retryscope.yml"
FILES = sorted(TESTS.glob("*.yml"))
OTHER_WINDOWS = ("30m", "1h", "2h", "6h", "1d", "3d")
SCALE = 1 / 200


@pytest.fixture(scope="module")
def definition() -> SloDefinition:
    return read_definition()


@pytest.fixture(scope="module", params=["Prometheus 2", "Prometheus 3"])
def promtool(request: pytest.FixtureRequest, system_tool: Callable[[str], Path]) -> Promtool:
    """That of Debian 12, and that of a newer Debian."""
    if request.param == "Prometheus 2":
        return Promtool(system_tool("promtool"))
    return Promtool(newer_debian_tool("promtool"))


def alerts(rules: Any) -> dict[str, list[dict[str, Any]]]:
    """The alerting rules by name; FailureBudgetBurn is several."""
    found: dict[str, list[dict[str, Any]]] = {}
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], []).append(rule)
    return found


class TestCommittedRules:
    def test_are_what_the_definition_says(self, definition: SloDefinition) -> None:
        """Otherwise somebody edited them, or forgot `make generate`."""
        assert RULES.read_text() == render_rules(definition)

    def test_are_the_same_for_kubernetes(self, definition: SloDefinition) -> None:
        text = (ROOT / "deploy/kubernetes/generated/prometheusrule.yml").read_text()
        assert text == prometheus_rule(definition)
        assert yaml.safe_load(text)["spec"] == yaml.safe_load(RULES.read_text())

    def test_name_nothing_that_is_not_exposed_or_recorded(self) -> None:
        rules = yaml.safe_load(RULES.read_text())
        known = table(RULES.parent)
        uses = [
            use for group in rules["groups"] for rule in group["rules"] for use in metric_uses(rule["expr"])
        ]
        assert uses
        assert [use for use in uses if not is_known(use, known)] == []

    def test_only_the_alert_about_the_service_itself_selects_a_job(self) -> None:
        """Any service that uses the library is watched by the others."""
        rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
        selecting = {
            rule.get("alert") or rule["record"]
            for rule in rules
            if any("job" in use.matchers for use in metric_uses(rule["expr"]))
        }
        assert selecting == {"ServiceDown"}

    def test_are_accepted(self, promtool: Promtool) -> None:
        checked = promtool.check_rules(RULES)
        assert checked.passed, checked.output
        rules = yaml.safe_load(RULES.read_text())
        number = sum(len(group["rules"]) for group in rules["groups"])
        assert f"{number} rules found" in checked.output  # it accepts an empty file too

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_pass_their_unit_tests(self, file: Path, promtool: Promtool) -> None:
        checked = promtool.test_rules(file)
        assert checked.passed, checked.output

    @pytest.mark.parametrize("window", OTHER_WINDOWS)
    def test_record_the_failure_ratio_over_every_window(
        self, window: str, promtool: Promtool, tmp_path: Path
    ) -> None:
        name = f"job_workflow:resilience_workflow_failures:ratio_rate{window}"
        rules = only(yaml.safe_load(RULES.read_text()), lambda rule: rule.get("record") == name)
        (tmp_path / "rules.yml").write_text(json.dumps(rules))
        (tmp_path / "tests.yml").write_text(json.dumps(failure_ratio_tests(window)))
        checked = promtool.test_rules(tmp_path / "tests.yml")
        assert checked.passed, checked.output

    def test_each_window_of_the_definition_is_tested(self, definition: SloDefinition) -> None:
        windows = {str(each) for burn in definition.burn_rates for each in (burn.long, burn.short)}
        assert windows == {"5m", *OTHER_WINDOWS}

    def test_each_alert_has_tests_that_make_it_fire_and_tests_in_which_it_must_not(self) -> None:
        """Of each FailureBudgetBurn too, which their labels tell apart."""
        wanted = {
            (name, rule["labels"].get("long", ""))
            for name, rules in alerts(yaml.safe_load(RULES.read_text())).items()
            for rule in rules
        }
        fires: set[tuple[str, str]] = set()
        silent: set[tuple[str, str]] = set()
        for file in FILES:
            for test in read_tests(file.name)["tests"]:
                for case in test.get("alert_rule_test", []):
                    for alert in case.get("exp_alerts", []):
                        assert alert["exp_annotations"].keys() == {
                            "summary",
                            "description",
                            "runbook_url",
                            "dashboard_url",
                        }
                        fires.add((case["alertname"], alert["exp_labels"].get("long", "")))
                for case in test.get("promql_expr_test", []):
                    name = re.search(r'ALERTS\{alertname="(\w+)"(?:, long="(\w+)")?', case["expr"])
                    if name and not case["exp_samples"]:
                        silent.add((name[1], name[2] or ""))
        assert fires == silent == wanted


class TestCompressedRules:
    """What the end-to-end test runs: the same rules on a clock that goes 200 times faster."""

    def test_are_accepted(self, definition: SloDefinition, promtool: Promtool, tmp_path: Path) -> None:
        rules = tmp_path / "rules.yml"
        rules.write_text(render_rules(definition, scale=SCALE, floor_seconds=2))
        checked = promtool.check_rules(rules)
        assert checked.passed, checked.output

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_pass_the_same_unit_tests_on_their_own_clock(
        self, file: Path, definition: SloDefinition, system_tool: Callable[[str], Path], tmp_path: Path
    ) -> None:
        tests = json.dumps(slower(read_tests(file.name), SCALE))
        rules = yaml.safe_load(render_rules(definition, scale=SCALE))
        named = only(rules, lambda rule: (rule.get("record") or rule["alert"]) in tests)
        (tmp_path / "rules.yml").write_text(json.dumps(named))
        (tmp_path / "tests.yml").write_text(tests)
        checked = Promtool(system_tool("promtool")).test_rules(tmp_path / "tests.yml")
        assert checked.passed, checked.output

    @pytest.mark.parametrize(
        ("scrapes", "fires"),
        [
            ("1x4 0 1x40", False),  # one is late
            ("1x4 0 0 0 1x40", False),  # three are
            ("1x4 0 1 0 0 1 0 0 0 1x40", False),
            ("_ _ _ 1x40", False),  # Prometheus has just started
            ("0 0 1x40", False),  # the service has
            ("1x4 0x40", True),
            ("_x40", True),
        ],
    )
    def test_late_scrapes_and_a_start_are_no_outage(
        self, scrapes: str, fires: bool, definition: SloDefinition, promtool: Promtool, tmp_path: Path
    ) -> None:
        """At the scale that is offered: two scrapes a second."""
        (tmp_path / "rules.yml").write_text(render_rules(definition, scale=SCALE, floor_seconds=2))
        fired = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[30s]))'
        samples = [{"labels": '{alertname="ServiceDown"}', "value": 1}] if fires else []
        test = {
            "interval": "500ms",
            "input_series": [{"series": 'up{job="retryscope", instance="a"}', "values": scrapes}],
            "promql_expr_test": [{"expr": fired, "eval_time": "20s", "exp_samples": samples}],
        }
        document = {"rule_files": ["rules.yml"], "evaluation_interval": "500ms", "tests": [test]}
        (tmp_path / "tests.yml").write_text(yaml.safe_dump(document))
        checked = promtool.test_rules(tmp_path / "tests.yml")
        assert checked.passed, checked.output


class TestPrometheusConfiguration:
    CONFIG = ROOT / "deploy/prometheus/prometheus.yml"

    @pytest.fixture
    def installed(self, tmp_path: Path) -> Path:
        """The configuration with its rules and its secret, as in the container."""
        secret = tmp_path / "token"
        secret.write_text("secret")
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules/retryscope.yml").write_text(RULES.read_text())
        config = tmp_path / "prometheus.yml"
        config.write_text(self.CONFIG.read_text().replace("/run/secrets/retryscope_api_token", str(secret)))
        return config

    def test_is_accepted_with_its_rules(self, installed: Path, promtool: Promtool) -> None:
        checked = promtool.check_config(installed)
        assert checked.passed, checked.output
        assert "1 rule files found" in checked.output

    def test_scrapes_every_part_of_the_stack(self) -> None:
        jobs = yaml.safe_load(self.CONFIG.read_text())["scrape_configs"]
        targets = {
            job["job_name"]: [target for static in job["static_configs"] for target in static["targets"]]
            for job in jobs
        }
        assert targets == {
            "retryscope": ["retryscope:8080"],
            "upstream": ["upstream:8082"],
            "prometheus": ["127.0.0.1:9090"],
            "alertmanager": ["alertmanager:9093"],
            "collector": ["collector:8888"],
            "tempo": ["tempo:3200"],
            "grafana": ["grafana:3000"],
        }

    def test_names_the_job_that_the_alert_about_the_service_waits_for(
        self, definition: SloDefinition
    ) -> None:
        """With the token that the service asks for, and workers found by name."""
        jobs = {job["job_name"]: job for job in yaml.safe_load(self.CONFIG.read_text())["scrape_configs"]}
        job = jobs[definition.job]
        assert job["authorization"] == {"credentials_file": "/run/secrets/retryscope_api_token"}
        (workers,) = job["dns_sd_configs"]
        assert (workers["names"], workers["type"], workers["port"]) == (["worker"], "A", 8081)

    def test_admits_all_series_that_the_library_can_make(
        self, definition: SloDefinition, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Beyond the limit the whole scrape fails."""
        monkeypatch.setattr(operation, "_declared", {})  # what is declared here stays here
        registry = CollectorRegistry()
        metrics = Metrics(registry)
        for number in range(MAX_OPERATIONS):
            metrics.of(Operation(f"o{number}", workflow=f"w{number}"))
        of_workflows = MAX_OPERATIONS * len(OUTCOMES) * semconv.WORKFLOW_DURATION.series_per_label_set
        jobs = {job["job_name"]: job for job in yaml.safe_load(self.CONFIG.read_text())["scrape_configs"]}
        assert metrics.series_bound() + of_workflows < jobs[definition.job]["sample_limit"]

    def test_keeps_scrapes_well_below_the_shortest_window(self, definition: SloDefinition) -> None:
        """A rate needs four scrapes in its window; an alert's `for` needs several evaluations."""
        settings = yaml.safe_load(self.CONFIG.read_text())["global"]
        scrape, evaluation = (
            Duration.parse(settings[name]).seconds for name in ("scrape_interval", "evaluation_interval")
        )
        assert 4 * scrape <= min(burn.short.seconds for burn in definition.burn_rates)
        assert 4 * evaluation <= min(burn.for_.seconds for burn in definition.burn_rates)
