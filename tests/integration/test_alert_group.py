"""A group of alerts of the real Alertmanager, one of which is too long, at the real service."""

from collections.abc import Callable
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.integration.conftest import running_service
from tests.support.alertmanager_process import alertmanager
from tests.support.polling import wait_until

CONFIG = ROOT / "deploy/alertmanager/alertmanager.yml"
TOKEN = "of-these-tests-0123456789"  # noqa: S105
LABELS = {"alertname": "RetryStorm", "severity": "warning", "job": "j", "workflow": "w"}


def test_one_alert_that_is_too_long_does_not_cost_the_others(
    system_tool: Callable[[str], Path], tmp_path: Path
) -> None:
    """Alertmanager does not repeat what is refused: each of the group arrives, the long one cut."""
    program = system_tool("prometheus-alertmanager")
    (tmp_path / "token").write_text(TOKEN)
    with running_service(tmp_path / "service", RETRYSCOPE_API_TOKEN=TOKEN) as service:
        text = CONFIG.read_text()
        text = text.replace("http://retryscope:8080", f"http://127.0.0.1:{service.port}")
        config = yaml.safe_load(text.replace("/run/secrets/retryscope_api_token", str(tmp_path / "token")))
        for route in (config["route"], *config["route"]["routes"]):
            route["group_wait"] = "0s"
            route["group_interval"] = "1s"
        file = tmp_path / "alertmanager.yml"
        file.write_text(yaml.safe_dump(config))
        with alertmanager(program, tmp_path / "alertmanager", file) as running:
            running.fire(
                *({**LABELS, "operation": operation} for operation in "ac"), annotations={"summary": "short"}
            )
            running.fire({**LABELS, "operation": "b"}, annotations={"summary": "long " * 400_000})

            def shown() -> dict[str, bool]:
                found = service.get("/alerts", {"Authorization": f"Bearer {TOKEN}"}).body["alerts"]
                return {each["labels"]["operation"]: each["cut"] for each in found}

            wait_until(lambda: shown().keys() == {"a", "b", "c"}, "all three are shown")
            assert shown() == {"a": False, "b": True, "c": False}
