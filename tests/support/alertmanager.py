"""The HTTP interface of a running Alertmanager."""

import http.client
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.support.polling import LIMIT, wait_until


class AlertmanagerApi:
    """An Alertmanager on a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def fire(self, *alerts: dict[str, str], annotations: dict[str, str] | None = None) -> None:
        """Have alerts with these labels fire, as Prometheus would."""
        now = datetime.now(UTC)
        body = [
            {
                "labels": labels,
                "annotations": annotations or {},
                "startsAt": now.isoformat(),
                "endsAt": (now + timedelta(hours=1)).isoformat(),
            }
            for labels in alerts
        ]
        status, answer = self.call("POST", "/api/v2/alerts", body)
        assert status == 200, answer

    def alerts(self) -> list[Any]:
        """What fires at it, suppressed or not."""
        status, answer = self.call("GET", f"/api/v2/alerts?{urlencode({'inhibited': 'true'})}")
        assert status == 200, answer
        found: list[Any] = json.loads(answer)
        return found

    def states(self) -> list[tuple[dict[str, str], str]]:
        """Labels and state of each alert: unprocessed, active or suppressed."""
        return [(alert["labels"], alert["status"]["state"]) for alert in self.alerts()]

    def wait_for(self, name: str) -> Any:
        """Wait until an alert of that name fires, and return it."""
        return wait_until(
            lambda: next((each for each in self.alerts() if each["labels"]["alertname"] == name), None),
            f"{name} fires",
        )
