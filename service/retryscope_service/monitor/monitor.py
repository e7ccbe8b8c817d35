"""The numbers of the page: charts, alerts, and the traffic that moves them."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from retryscope_service.load.switch import Traffic
from retryscope_service.monitor.alert_states import AlertStates
from retryscope_service.monitor.charts import charts
from retryscope_service.monitor.history import ChartHistory
from retryscope_service.monitor.sampler import Sampler
from retryscope_service.monitor.scrape import RegistryScraper
from retryscope_service.slo.definition import read_definition


class Monitor:
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
        self.sampler = Sampler(RegistryScraper(registry), self.history, self.alerts, publish)
        self.traffic = Traffic(publish, token)
