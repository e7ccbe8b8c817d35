"""The numbers of the page: charts, alerts, and the traffic that moves them."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from service.console.alert_states import AlertStates
from service.console.charts import charts
from service.console.history import ChartHistory
from service.console.readings import RegistryReader
from service.console.sampler import Sampler
from service.console.traffic import Traffic
from service.slo.definition import read_definition


class Numbers:
    """What belongs together of them; from the same definition as the rules of Prometheus.

    Args:
        registry: Where the process's metrics are.
        publish: Tells the open pages.
        token: The API token of this service, if it needs one.

    Attributes:
        history: The charts.
        alerts: The alerts.
        sampler: Has to keep sampling for both.
        traffic: The switch.
    """

    def __init__(
        self, registry: CollectorRegistry, publish: Callable[[str, Any], None], token: str | None
    ) -> None:
        definition = read_definition()
        self.history = ChartHistory(charts(definition))
        self.alerts = AlertStates(definition)
        self.sampler = Sampler(RegistryReader(registry), self.history, self.alerts, publish)
        self.traffic = Traffic(publish, token)
