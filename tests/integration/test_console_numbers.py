"""The numbers of the console of a running service, with the traffic that its own switch makes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from service.console.chart_queries import WINDOW
from service.console.charts import WINDOWS, charts
from service.slo.definition import read_definition
from tests.integration.conftest import StartService, running_service
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.prometheus import Prometheus, prometheus

COMPARED = 10
"""Points of each series that are compared, on average: a point alone is a matter of when it was scraped."""
SETTLED = 3
"""The newest points, which Prometheus may not have scraped yet."""
SHIFTS = range(-2, 3)
"""Seconds by which the two may look at another time: one reads each full second, the other when it can."""

TOKEN = "of-these-tests-0123456789"  # noqa: S105
CHARTS = [chart.id for chart in charts(read_definition())]


@dataclass
class Watched:
    """The charts after some seconds of traffic, and the Prometheus that has seen the same."""

    history: Any
    prometheus: Prometheus

    def chart(self, chart_id: str) -> Any:
        (chart,) = (each for each in self.history["charts"] if each["id"] == chart_id)
        return chart

    @property
    def times(self) -> list[float]:
        """Of the points that are compared."""
        resolution = self.history["resolutions"][0]
        end = resolution["start"] + resolution["length"] - SETTLED
        return [float(time) for time in range(end - COMPARED, end)]

    def shown(self, series: Any) -> float | None:
        """The mean of the points compared."""
        values = [
            value for value in series["points"]["1"][-COMPARED - SETTLED : -SETTLED] if value is not None
        ]
        return fmean(values) if values else None

    def asked(self, promql: str) -> dict[str, list[float]]:
        """The same of Prometheus, by the label of the series that has one, else under an empty name.

        A mean for each of the shifts: what changes from one second to the next depends on when one looks.
        """
        start, end = self.times[0] + SHIFTS[0], self.times[-1] + SHIFTS[-1]
        data = self.prometheus.api(
            "query_range", query=promql, start=f"{start:.0f}", end=f"{end:.0f}", step="1"
        )
        found: dict[str, list[float]] = {}
        for series in data["result"]:
            (label,) = series["metric"].values() or ("",)
            values = {float(time): float(value) for time, value in series["values"]}
            for shift in SHIFTS:
                seen = [values[time + shift] for time in self.times if time + shift in values]
                if seen and not math.isnan(fmean(seen)):
                    found.setdefault(label, []).append(fmean(seen))
        return found


def traffic(service: Service, method: str, **body: object) -> Any:
    answer = service.call(method, "/console/traffic", body or None).answer()
    assert answer.status == 200, answer
    return answer.body


@pytest.fixture(scope="module")
def watched(
    system_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("console")
    with (
        running_service(folder / "service") as service,
        prometheus(system_tool("prometheus"), folder / "prometheus", service.port) as server,
    ):
        traffic(service, "PUT", scenario="mixed", rate=30, duration_seconds=600)

        def covered() -> Any:
            history = service.get("/console/history").body
            (rate,) = (chart for chart in history["charts"] if chart["id"] == "rate")
            measured = [value for value in rate["series"][0]["points"]["1"] if value]
            return history if len(measured) > WINDOWS[1] + COMPARED + SETTLED + 5 else None

        history = wait_until(covered, "the charts cover what is compared")
        yield Watched(history, server)
        traffic(service, "DELETE")


@pytest.mark.parametrize("chart_id", CHARTS)
def test_a_chart_shows_what_its_promql_shows(watched: Watched, chart_id: str) -> None:
    """Over the ten seconds that a point of the finest resolution covers."""
    chart = watched.chart(chart_id)
    asked = watched.asked(chart["promql"].replace(f"[{WINDOW}]", f"[{WINDOWS[1]}s]"))
    assert asked
    labels = {series["label"] if len(chart["series"]) > 1 else "" for series in chart["series"]}
    assert asked.keys() <= labels
    for series in chart["series"]:
        label = series["label"] if len(chart["series"]) > 1 else ""
        shown, wanted = watched.shown(series), asked.get(label)
        assert (shown is None) == (wanted is None), series["key"]
        if shown is not None and wanted is not None:
            smallest = {"1/s": 0.1, "ratio": 0.01, "count": 0.05, "s": 0.005}[chart["unit"]]
            smallest = 6 if chart_id == "in_flight" else smallest  # an instant, not a mean
            assert 0.85 * min(wanted) - smallest <= shown <= 1.15 * max(wanted) + smallest, series["key"]


def test_there_was_something_to_compare(watched: Watched) -> None:
    shown = {
        series["key"]: watched.shown(series) for chart in CHARTS for series in watched.chart(chart)["series"]
    }
    for key in ("rate.success", "latency.p99", "attempts.error", "backoff_share"):
        assert shown[key], key
    assert (shown["amplification"] or 0) > 1
    assert any(value for key, value in shown.items() if key.startswith("cancellations."))


class TestTraffic:
    def test_makes_runs_like_any_other(self, start_service: StartService) -> None:
        service = start_service(RETRYSCOPE_API_TOKEN=TOKEN)
        token = {"Authorization": f"Bearer {TOKEN}"}
        assert service.get("/console/traffic").status == 401
        body = {"scenario": "failures", "rate": 20, "duration_seconds": 600}
        assert service.call("PUT", "/console/traffic", body, token).answer().status == 200

        def snapshot() -> Any:
            return service.get("/console/snapshot", token).body

        wait_until(lambda: snapshot()["traffic"]["failed"] > 5, "requests were answered")
        found = snapshot()
        assert found["traffic"]["on"]
        assert {run["workflow"] for run in found["runs"]} == {"retry"}
        assert service.call("DELETE", "/console/traffic", headers=token).answer().body["on"] is False

    def test_ends_with_the_service(self, start_service: StartService) -> None:
        """Without an error in its log, and without waiting for more than the runs in flight."""
        service = start_service()
        traffic(service, "PUT", scenario="mixed", rate=50, duration_seconds=600)
        wait_until(lambda: traffic(service, "GET")["succeeded"] > 20, "requests were answered")
        service.stop()

    def test_fires_the_alert_on_the_page(self, start_service: StartService) -> None:
        """Pending at least: until it fires it takes minutes."""
        service = start_service()
        traffic(service, "PUT", scenario="failures", rate=50, duration_seconds=600)

        def active() -> set[str]:
            rules = service.get("/console/alerts").body["rules"]
            return {rule["alert"] for rule in rules if rule["state"] == "pending"}

        wait_until(lambda: "FailureBudgetBurn" in active(), "the failures are noticed")
