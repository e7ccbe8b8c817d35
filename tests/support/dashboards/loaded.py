"""A service that was loaded, and the Prometheus that saw it: what Grafana would ask, and get."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from retryscope_service.slo import recording
from tests.support.dashboards.model import Json, substituted, variables
from tests.support.dashboards.traffic import drive, drive_healthy, drive_requests
from tests.support.process import Service
from tests.support.prometheus import Prometheus


@dataclass
class Loaded:
    """A service after traffic of all kinds, and the Prometheus that saw all of it."""

    service: Service
    prometheus: Prometheus
    started: float
    healthy_at: float
    ended: float

    def instant(self, expression: str, at: float | None = None) -> list[Json]:
        """The series that an expression has when the traffic is over, or at another time."""
        moment = self.ended if at is None else at
        data: Json = self.prometheus.api("query", query=_finely(expression), time=f"{moment:.3f}")
        assert data["resultType"] == "vector", expression
        series: list[Json] = data["result"]
        return series

    def over_time(self, expression: str) -> list[Json]:
        """Its series from the first scrape to the end, as a panel asks for them."""
        data: Json = self.prometheus.api(
            "query_range",
            query=_finely(expression),
            start=f"{self.started:.3f}",
            end=f"{self.ended:.3f}",
            step="0.5",
        )
        series: list[Json] = data["result"]
        return series

    def values(self, dashboard: Json) -> dict[str, str]:
        """What Grafana puts in the place of each variable: of those with All, its own value for all."""
        values: dict[str, str] = {}
        for name, variable in variables(dashboard).items():
            if variable["type"] == "datasource":
                values[name] = variable["current"]["value"]
                continue
            options = self.options(substituted(variable["query"]["query"], values))
            assert options, f"${name} has no values"
            values[name] = variable["allValue"] if variable["includeAll"] else options[0]
        return values

    def options(self, query: str) -> list[str]:
        """The values that a variable offers."""
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert found, query
        options: list[str] = self.prometheus.api(f"label/{found[2]}/values", **{"match[]": found[1]})
        return options


def _finely(expression: str) -> str:
    """What ranks series looks at each second: all traffic is in less than one of Grafana's steps."""
    return re.sub(r":\w+\] @ end\(\)", ":1s] @ end()", expression)


def fast_rules(folder: Path) -> str:
    """The shipped rules, evaluated each second; the budget is summed up in steps of seconds, too."""
    (path,) = folder.glob("*.yml")
    text, changed = re.subn(r"\[30d:\w+\]", "[5m:1s]", path.read_text())
    assert changed
    rules = yaml.safe_load(text)
    for group in rules["groups"]:
        group["interval"] = "1s"
    return yaml.safe_dump(rules, width=10_000)


def load_service(service: Service, prometheus: Prometheus) -> Loaded:
    """First healthy traffic, then traffic of every kind; Prometheus has scraped, and recorded, all of it."""
    started = time.time()
    prometheus.wait_for_scrapes(2)
    drive_healthy(service)
    prometheus.wait_for_scrapes(2)
    drive_requests(service)  # what is counted by server begins with its first request, which no rate sees
    prometheus.wait_for_scrapes(2)
    healthy_at = _when_all_is_there(prometheus)
    prometheus.wait_for_scrapes(1)
    drive(service)
    # Each group of rules is evaluated once a second, at an offset of its own.
    prometheus.wait_for_scrapes(5)
    return Loaded(service, prometheus, started, healthy_at, _when_all_is_there(prometheus))


def _when_all_is_there(prometheus: Prometheus) -> int:
    """A moment at which the rules have recorded what takes them longest."""
    recorded = f"count({recording.BUDGET_REMAINING}) + count({recording.ATTEMPTS_PER_OPERATION})"
    return prometheus.moment_when(recorded, "the rules have recorded")
