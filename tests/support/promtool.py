"""Prometheus's own checks and unit tests of rules."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from retryscope_service.slo.duration import Duration
from tests.support.polling import LIMIT
from tests.support.promql import metric_uses

TESTS = Path(__file__).parents[1] / "contract" / "rules"
"""The unit tests of the rules."""


@dataclass(frozen=True)
class Checked:
    """What promtool says."""

    passed: bool
    output: str


@dataclass(frozen=True)
class Promtool:
    """The program of one version of Prometheus."""

    program: Path

    def check_rules(self, rules: Path) -> Checked:
        """Check the syntax of rules, and lint them."""
        return self._run("check", "rules", "--lint=all", "--lint-fatal", rules)

    def check_config(self, config: Path) -> Checked:
        """Check a configuration and the files that it names."""
        return self._run("check", "config", "--lint=all", "--lint-fatal", config)

    def test_rules(self, *tests: Path) -> Checked:
        """Run test files on the rules that they name."""
        return self._run("test", "rules", *tests)

    def store(self, samples: Path, folder: Path) -> Checked:
        """Write samples in the text format, with their times, into the folder of a Prometheus."""
        return self._run("tsdb", "create-blocks-from", "openmetrics", samples, folder)

    def _run(self, *arguments: str | Path) -> Checked:
        done = subprocess.run(
            [self.program, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        return Checked(done.returncode == 0, done.stdout)


def only(rules: Any, wanted: Callable[[dict[str, Any]], bool]) -> Any:
    """The rules that are wanted, and the recording rules that these refer to, each in its group.

    The others would be evaluated too, at every step, and cost most of the time.
    """
    every = [rule for group in rules["groups"] for rule in group["rules"]]
    recorded = {rule["record"]: rule for rule in every if "record" in rule}
    kept = [rule for rule in every if wanted(rule)]
    for rule in kept:  # what is added is looked at, too
        uses = {use.metric for use in metric_uses(rule["expr"])}
        kept.extend(recorded[name] for name in uses & recorded.keys() if recorded[name] not in kept)
    return {
        "groups": [
            {**group, "rules": [rule for rule in group["rules"] if rule in kept]} for group in rules["groups"]
        ]
    }


def read_tests(name: str) -> Any:
    """A test file as data, for rules in a file `rules.yml` beside it instead of the ones that it names."""
    return {**yaml.safe_load((TESTS / name).read_text()), "rule_files": ["rules.yml"]}


def failure_ratio_tests(window: str) -> Any:
    """The tests of the failure ratio, which are written for 5m, for another window: on a slower clock."""
    tests = read_tests("failure_ratio.yml")
    text = yaml.safe_dump(tests, width=10_000).replace("ratio_rate5m", f"ratio_rate{window}")
    return slower(yaml.safe_load(text), Duration.parse(window).seconds / Duration.parse("5m").seconds)


def slower(tests: Any, factor: float) -> Any:
    """The same tests on a clock that goes slower by the factor, as rules with longer windows need them."""
    if isinstance(tests, dict):
        return {
            key: _times(value, factor) if key in _TIMES else slower(value, factor)
            for key, value in tests.items()
        }
    if isinstance(tests, list):
        return [slower(each, factor) for each in tests]
    return tests


_TIMES = ("interval", "evaluation_interval", "eval_time")


def _times(duration: str, factor: float) -> str:
    return str(Duration.of(Duration.parse(duration).seconds * factor))
