"""Who is told about which alert, and which alerts are silenced by others: asked of the real Alertmanager."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from retryscope_service.api.alerts import MAX_BODY_BYTES
from tests.conftest import ROOT
from tests.support.alertmanager_process import Alertmanager, Webhook, alertmanager
from tests.support.polling import wait_until

CONFIG = ROOT / "deploy/alertmanager/alertmanager.yml"
RULES = ROOT / "deploy/prometheus/rules/retryscope.yml"

DOWN = {"alertname": "ServiceDown", "severity": "critical"}
LAG = {"alertname": "EventLoopLagHigh", "severity": "warning"}
STALLED = {"alertname": "Stalled", "severity": "critical", "workflow": "w"}
BURN = {"alertname": "FailureBudgetBurn"}


@pytest.fixture(scope="module")
def amtool(system_tool: Callable[[str], Path]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    program = system_tool("amtool")

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)

    return run


def test_the_configuration_is_accepted(amtool: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    done = amtool("check-config", str(CONFIG))
    assert done.returncode == 0, done.stderr
    assert "3 inhibit rules" in done.stdout
    assert "3 receivers" in done.stdout


@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "page"), ("warning", "ticket"), ("info", "notice"), ("unheard of", "ticket")],
)
def test_an_alert_is_routed_by_its_severity(
    severity: str, receiver: str, amtool: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    """Information pages nobody, and no alert gets lost."""
    done = amtool("config", "routes", "test", f"--config.file={CONFIG}", f"severity={severity}")
    assert (done.returncode, done.stdout.split()) == (0, [receiver])


def test_every_severity_of_the_rules_has_a_route_of_its_own() -> None:
    routes = yaml.safe_load(CONFIG.read_text())["route"]["routes"]
    routed = {matcher for route in routes for matcher in route["matchers"]}
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    severities = {rule["labels"]["severity"] for rule in rules if "alert" in rule}
    assert severities == {"critical", "warning", "info"}
    assert routed == {f'severity="{severity}"' for severity in severities - {"warning"}}


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    started = Webhook()
    yield started
    started.close()


@pytest.fixture
def running(webhook: Webhook, system_tool: Callable[[str], Path], tmp_path: Path) -> Iterator[Alertmanager]:
    """The committed configuration, which delivers to us and at once."""
    webhook.received.clear()
    (tmp_path / "token").write_text("sixteen-characters")
    text = CONFIG.read_text()
    for here, there in [
        ("http://retryscope:8080/alerts", f"http://127.0.0.1:{webhook.port}/alerts"),
        ("/run/secrets/retryscope_api_token", str(tmp_path / "token")),
    ]:
        assert text.count(here) == 1
        text = text.replace(here, there)
    config = yaml.safe_load(text)
    for route in (config["route"], *config["route"]["routes"]):
        route["group_wait"] = "0s"
        route["group_interval"] = "1s"
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    with alertmanager(system_tool("prometheus-alertmanager"), tmp_path / "alertmanager", file) as started:
        yield started


States = set[tuple[frozenset[tuple[str, str]], str]]


def states(running: Alertmanager, number: int) -> States:
    """The alerts, by their labels, once all of them are active or suppressed."""

    def settled() -> States:
        found = {(frozenset(labels.items()), state) for labels, state in running.states()}
        done = len(found) == number and all(state != "unprocessed" for _, state in found)
        return found if done else set()

    return wait_until(settled, f"{number} alerts are processed")


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_alerts_of_every_severity_reach_the_service_with_its_token(
    severity: str, running: Alertmanager, webhook: Webhook
) -> None:
    running.fire({"alertname": "Any", "severity": severity, "job": "a"})
    wait_until(webhook.alerts, "the alert is delivered")
    (alert,) = webhook.alerts()
    assert (alert["status"], alert["labels"]["severity"]) == ("firing", severity)
    assert webhook.received[0][0] == "Bearer sixteen-characters"


@pytest.mark.parametrize(
    ("source", "target", "state"),
    [
        pytest.param(
            {**DOWN, "job": "a", "instance": "1"},
            {**LAG, "job": "a", "instance": "1"},
            "suppressed",
            id="a process that is down silences what else is wrong with it",
        ),
        pytest.param(
            {**DOWN, "job": "a", "instance": "1"},
            {**LAG, "job": "a", "instance": "2"},
            "active",
            id="but no other process",
        ),
        pytest.param(
            {**DOWN, "job": "a", "instance": "1"},
            {**LAG, "job": "b", "instance": "1"},
            "active",
            id="nor another job's",
        ),
        pytest.param(
            {**DOWN, "job": "a", "instance": "1"},
            {**STALLED, "job": "a"},
            "active",
            id="nor the job's workflows, which run elsewhere too",
        ),
        pytest.param(
            {**DOWN, "job": "a"},
            {**STALLED, "job": "a"},
            "suppressed",
            id="a job without any process silences its workflows",
        ),
        pytest.param(
            {**DOWN, "job": "a"},
            {**LAG, "job": "a", "instance": "1"},
            "suppressed",
            id="and its processes",
        ),
        pytest.param(
            {**DOWN, "job": "a", "pool": "inline"},
            {**STALLED, "job": "a"},
            "active",
            id="a job without an API process does not silence its workflows, which run on its workers",
        ),
        pytest.param(
            {**DOWN, "job": "a", "pool": "inline"},
            {**LAG, "job": "a", "instance": "1"},
            "active",
            id="nor its workers",
        ),
        pytest.param(
            {**DOWN, "job": "a"},
            {**STALLED, "job": "b"},
            "active",
            id="but no other job's",
        ),
        pytest.param(
            {**DOWN, "job": "a"},
            {**DOWN, "job": "a", "instance": "1"},
            "active",
            id="that a process is down is never silenced by itself",
        ),
        pytest.param(
            {**BURN, "severity": "critical", "job": "a", "workflow": "w", "long": "1h", "short": "5m"},
            {**BURN, "severity": "warning", "job": "a", "workflow": "w", "long": "3d", "short": "6h"},
            "suppressed",
            id="a fast burn silences the slow burn of the same workflow",
        ),
        pytest.param(
            {**BURN, "severity": "critical", "job": "a", "workflow": "w", "long": "1h", "short": "5m"},
            {**BURN, "severity": "warning", "job": "a", "workflow": "v", "long": "3d", "short": "6h"},
            "active",
            id="but not of another workflow",
        ),
        pytest.param(
            {**BURN, "severity": "critical", "job": "a", "workflow": "w", "long": "1h", "short": "5m"},
            {**BURN, "severity": "warning", "job": "b", "workflow": "w", "long": "3d", "short": "6h"},
            "active",
            id="nor of another job",
        ),
        pytest.param(
            {**BURN, "severity": "critical", "job": "a", "workflow": "w", "long": "1h", "short": "5m"},
            {"alertname": "RetryStorm", "severity": "warning", "job": "a", "workflow": "w", "operation": "o"},
            "active",
            id="nor an alert that says why",
        ),
        pytest.param(
            {**BURN, "severity": "warning", "job": "a", "workflow": "w", "long": "1d", "short": "2h"},
            {**BURN, "severity": "warning", "job": "a", "workflow": "w", "long": "3d", "short": "6h"},
            "active",
            id="a slow burn silences nothing",
        ),
    ],
)
def test_an_alert_silences_what_it_explains(
    source: dict[str, str], target: dict[str, str], state: str, running: Alertmanager
) -> None:
    running.fire(source)
    states(running, 1)
    running.fire(target)
    expected = {(frozenset(source.items()), "active"), (frozenset(target.items()), state)}
    # The inhibitor may learn of the source a moment after it is listed.
    wait_until(lambda: states(running, 2) == expected, f"the second one is {state}")


def test_the_largest_notification_is_one_that_the_service_reads(
    running: Alertmanager, webhook: Webhook
) -> None:
    """With the longest annotations there are, and names as long as they get."""
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    longest = max((rule["annotations"] for rule in rules if "alert" in rule), key=lambda each: len(str(each)))
    limit = yaml.safe_load(CONFIG.read_text())["receivers"][0]["webhook_configs"][0]["max_alerts"]
    common = {"alertname": "TimeoutRatioHigh", "severity": "warning", "job": "j" * 40, "workflow": "w" * 40}
    alerts = [{**common, "operation": f"{number:040}"} for number in range(limit + 1)]
    running.fire(*alerts, annotations={**longest, "padding": "x" * 4 * 40})

    def cut() -> bytes:
        return max((body for _, body in webhook.received), key=len, default=b"")

    wait_until(lambda: b'"truncatedAlerts":1' in cut(), "the notification with one alert too many")
    assert len(cut()) < 0.9 * MAX_BODY_BYTES
