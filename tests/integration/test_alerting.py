"""End to end: traffic fails, Prometheus fires, Alertmanager delivers, traffic heals, the alert resolves.

The programs are real, the configuration and the rules are the shipped ones, on a clock 200 times as fast.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.integration.conftest import running_service
from tests.support.alertmanager import AlertmanagerApi
from tests.support.command import Command, running_command
from tests.support.dashboards.model import load, prometheus_targets, substituted
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.prometheus import PrometheusApi

DASHBOARDS = ROOT / "grafana" / "dashboards"
TOKEN = "of-these-tests-0123456789"  # noqa: S105
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
SCALE = "0.005"
ABOUT_THE_MACHINE = {"EventLoopLagHigh", "ServiceDown", "Stalled"}
"""Alerts that a busy machine may fire whatever the traffic is: a scrape that takes half a second fails."""


@dataclass
class Watched:
    """A service that needs its token, and the stack that watches it."""

    service: Service
    prometheus: PrometheusApi
    alertmanager: AlertmanagerApi
    folder: Path

    @contextmanager
    def traffic(self, scenario: str, *options: str) -> Iterator[Command]:
        """Traffic during the block; the same for everybody who runs this test."""
        with running_command(
            self.folder / scenario,
            "load",
            f"--url=http://127.0.0.1:{self.service.port}",
            f"--scenario={scenario}",
            "--forever",
            "--rate=20",
            "--seed=1",
            *options,
            RETRYSCOPE_API_TOKEN=TOKEN,
        ) as command:
            yield command

    def worst_operation(self) -> tuple[str, ...]:
        """Workflow and operation that the first dashboard lists first: the table is sorted by this."""
        (overview,) = (each for each in load(DASHBOARDS) if each["uid"] == "retryscope-overview")
        worst = next(
            each for each in prometheus_targets(overview) if each.panel["title"] == "Worst operations"
        )
        chosen = {"job": "retryscope", "workflow": ".+", "operation": ".+", "__rate_interval": "15s"}
        failed = wait_until(
            lambda: self.prometheus.query(substituted(worst.expression, chosen), "workflow", "operation"),
            "two scrapes of its window have arrived",
        )
        return max(failed, key=failed.__getitem__)

    def finished_runs(self) -> float:
        """Runs that Prometheus knows of."""
        return self.ended("")

    def ended(self, matchers: str) -> float:
        """Runs that ended so, as the last scrape that arrived says: on a busy machine one may not."""
        runs = f"resilience_workflow_duration_seconds_count{{{matchers}}}"
        return self.prometheus.query(f"sum(last_over_time({runs}[10m]))").get((), 0.0)

    def wait_for_runs(self, number: float) -> None:
        """Wait until Prometheus has seen so many more runs."""
        wanted = self.finished_runs() + number
        wait_until(lambda: self.finished_runs() >= wanted, f"Prometheus has seen {wanted:g} runs")

    def delivered(self, name: str, status: str) -> list[Any]:
        """Alerts that were delivered to the service, as it shows them."""
        answer = self.service.get("/alerts", AUTHORIZED)
        assert answer.status == 200, answer
        return [
            each
            for each in answer.body["alerts"]
            if each["labels"]["alertname"] == name and each["status"] == status
        ]

    def all_delivered(self) -> list[Any]:
        """Labels of the alerts that were ever delivered to the service."""
        found = self.service.get("/alerts", AUTHORIZED).body["alerts"]
        every = [each["labels"] for each in found]
        return [labels for labels in every if labels["alertname"] not in ABOUT_THE_MACHINE]

    def wait_until_resolved(self, alert: Any) -> None:
        """Wait until the service was told that an alert is over."""
        name, fingerprint = alert["labels"]["alertname"], alert["fingerprint"]
        wait_until(
            lambda: fingerprint in {each["fingerprint"] for each in self.delivered(name, "resolved")},
            "the alert is resolved",
        )

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        found = self.prometheus.query('group by (alertname) (ALERTS{alertstate="firing"})', "alertname")
        return {name for (name,) in found} - ABOUT_THE_MACHINE


@pytest.fixture
def watched(system_tool: Callable[[str], Path], tmp_path: Path) -> Iterator[Watched]:
    for program in ("prometheus", "prometheus-alertmanager"):
        system_tool(program)
    with running_service(tmp_path / "service", RETRYSCOPE_API_TOKEN=TOKEN) as service:
        arguments = (f"--url=http://127.0.0.1:{service.port}", f"--scale={SCALE}")
        ports = ("--prometheus-port=0", "--alertmanager-port=0")
        with running_command(
            tmp_path / "stack", "stack", *arguments, *ports, RETRYSCOPE_API_TOKEN=TOKEN
        ) as stack:
            prometheus = stack.wait_for(r"http://127\.0\.0\.1:(\d+)/graph")[1]
            alertmanager = stack.wait_for(r"http://127\.0\.0\.1:(\d+)/#/alerts")[1]
            started = Watched(
                service, PrometheusApi(int(prometheus)), AlertmanagerApi(int(alertmanager)), tmp_path
            )
            wait_until(lambda: started.prometheus.query("up == 1", "job"), "the service is scraped")
            yield started


def test_failing_traffic_fires_is_delivered_and_resolves(watched: Watched) -> None:
    """Healthy traffic fires nothing; the page has everything that a person needs; healing ends it.

    First where the workflow catches each failure and says success, then where the runs fail, too.
    """
    with watched.traffic("mixed"):
        watched.wait_for_runs(100)
        assert watched.firing() == set()
    assert watched.all_delivered() == []

    with watched.traffic("caught-failures", "--mix=sequential=1"):
        watched.wait_for_runs(100)
        (caught,) = wait_until(
            lambda: watched.delivered("OperationFailureRatioHigh", "firing"),
            "the alert on what the workflow catches reaches the service",
        )
        assert watched.worst_operation() == ("sequential", "risky_task")
    assert watched.ended('workflow="sequential", outcome="success"') > 0
    assert watched.ended('workflow="sequential", outcome=~"error|timeout"') == 0
    others = [labels for labels in watched.all_delivered() if labels != caught["labels"]]
    assert others == []  # on a busy machine the same one may come a second time
    assert caught["labels"] == {
        "alertname": "OperationFailureRatioHigh",
        "severity": "warning",
        "job": "retryscope",
        "workflow": "sequential",
        "operation": "risky_task",
    }
    assert caught["annotations"]["summary"] == "risky_task (sequential, retryscope) fails."
    assert caught["annotations"]["description"].startswith("100% of it ")
    with watched.traffic("mixed"):
        watched.wait_until_resolved(caught)

    with watched.traffic("failures"):
        (page,) = wait_until(
            lambda: [
                each
                for each in watched.delivered("FailureBudgetBurn", "firing")
                if each["labels"]["long"] == "1h"
            ],
            "the alert reaches the service",
        )
        assert watched.firing() >= {"FailureBudgetBurn"}
    assert page["labels"] == {
        "alertname": "FailureBudgetBurn",
        "severity": "critical",
        "job": "retryscope",
        "workflow": "retry",
        "long": "1h",
        "short": "5m",
    }
    annotations = page["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert "{{" not in "".join(annotations.values())
    assert re.match(r"Workflow retry of retryscope ", annotations["summary"])
    assert re.search(r"[1-9][0-9.]*%", annotations["description"])
    assert annotations["runbook_url"].endswith("/docs/runbook#failurebudgetburn")
    assert page["generator_url"].startswith(f"http://127.0.0.1:{watched.prometheus.port}/graph")

    with watched.traffic("mixed"):
        watched.wait_until_resolved(page)


def test_a_service_that_is_gone_fires(watched: Watched) -> None:
    """The one alert that the service can't show: it is at Alertmanager."""
    watched.service.stop()
    alert = watched.alertmanager.wait_for("ServiceDown")
    assert alert["labels"] == {
        "alertname": "ServiceDown",
        "severity": "critical",
        "job": "retryscope",
        "instance": f"127.0.0.1:{watched.service.port}",
    }
    assert alert["annotations"]["runbook_url"].endswith("#servicedown")
