"""The HTTP interface of a running Alertmanager."""

import json
from typing import Any
from urllib.request import urlopen

from tests.support.polling import LIMIT, wait_until


class Alertmanager:
    """An Alertmanager at an address."""

    def __init__(self, url: str) -> None:
        self._url = url

    def alerts(self) -> list[Any]:
        """What fires at it."""
        with urlopen(f"{self._url}/api/v2/alerts", timeout=LIMIT) as answer:  # noqa: S310 - our own address
            found: list[Any] = json.loads(answer.read())
        return found

    def wait_for(self, name: str) -> Any:
        """Wait until an alert of that name fires, and return it."""
        return wait_until(
            lambda: next((each for each in self.alerts() if each["labels"]["alertname"] == name), None),
            f"{name} fires",
        )
