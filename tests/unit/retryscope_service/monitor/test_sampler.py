"""When the numbers are read, and what the open pages are told."""

import asyncio
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from retryscope.metrics import metrics_for
from retryscope_service.monitor.alert_states import AlertStates
from retryscope_service.monitor.charts import charts
from retryscope_service.monitor.history import ChartHistory
from retryscope_service.monitor.sampler import Sampler
from retryscope_service.monitor.scrape import RegistryScraper
from retryscope_service.slo.definition import read_definition
from tests.unit.retryscope_service.monitor.scrapes import START


class Watched:
    """A sampler on the virtual clock, and what it has published."""

    def __init__(self) -> None:
        definition = read_definition()
        registry = CollectorRegistry()
        self.metrics = metrics_for(registry)
        self.history = ChartHistory(charts(definition))
        self.alerts = AlertStates(definition)
        self.published: list[tuple[str, Any]] = []
        self.set_by = 0.0
        self.sampler = Sampler(
            RegistryScraper(registry), self.history, self.alerts, self._publish, self.clock
        )

    def _publish(self, event: str, data: Any) -> None:
        self.published.append((event, data))

    def clock(self) -> float:
        return START + 0.4 + asyncio.get_running_loop().time() + self.set_by

    async def watch(self, seconds: float) -> None:
        """Keep sampling for that long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.sampler.keep_sampling()

    def times(self) -> list[float]:
        """Of the metrics that were published."""
        return [data["time"] - START for event, data in self.published if event == "metrics"]

    def run(self, number: int) -> None:
        for _ in range(number):
            self.metrics.of_workflow("w").started()
            self.metrics.of_workflow("w").ended("error", 0.1, None)


@pytest.fixture
async def watched() -> Watched:
    return Watched()


async def test_samples_at_each_full_second(watched: Watched) -> None:
    await watched.watch(5)
    assert watched.times() == [1, 2, 3, 4, 5]


async def test_publishes_the_values_of_the_finest_resolution(watched: Watched) -> None:
    await watched.watch(2)
    watched.run(30)
    await watched.watch(1)
    event, data = watched.published[-1]
    assert event == "metrics"
    assert data["values"]["rate.error"] == 15.0
    document = watched.history.document(watched.clock())
    shown = {
        series["key"]: series["points"]["1"][-1] for chart in document["charts"] for series in chart["series"]
    }
    assert data["values"] == shown


async def test_tells_the_time_as_exactly_as_it_knows_it(watched: Watched) -> None:
    """The values are of a full second, the time is when they were sent."""
    await asyncio.sleep(0.85)
    watched.sampler.sample()
    _, data = watched.published[-1]
    assert (data["time"], data["now"]) == (START + 1, pytest.approx(START + 1.25))


async def test_leaves_out_the_seconds_for_which_it_is_too_late(watched: Watched) -> None:
    await watched.watch(2)
    watched.set_by = 30.0  # a suspended process sees time jump
    await watched.watch(2)
    assert watched.times() == [1, 2, 33, 34]


async def test_waits_for_a_clock_that_was_set_back(watched: Watched) -> None:
    await watched.watch(12)
    watched.set_by = -10.0
    await watched.watch(12)
    assert watched.times() == [*range(1, 13), 13, 14]


async def test_begins_anew_when_the_clock_was_set_back_far(watched: Watched) -> None:
    await watched.watch(5)
    watched.set_by = -3600.0
    await watched.watch(3)
    assert watched.times() == [1, 2, 3, 4, 5, -3594, -3593, -3592]
    assert watched.published[-1][1]["values"]["rate.error"] == 0.0


async def test_an_alert_of_before_the_clock_was_set_back_far_begins_anew_too(watched: Watched) -> None:
    await watched.watch(10)
    watched.run(100)
    await watched.watch(10)
    assert "pending" in {state["state"] for state in watched.alerts.states()}
    watched.set_by = -3600.0
    await watched.watch(10)
    assert {state["state"] for state in watched.alerts.states()} == {"inactive"}


async def test_publishes_all_alerts_when_something_about_one_changes(watched: Watched) -> None:
    """A page that is open shows the state and the value of now, without a repetition."""
    await watched.watch(10)
    watched.published.clear()
    await watched.watch(20)
    assert "alerts" not in {event for event, _ in watched.published}
    watched.run(100)
    await watched.watch(10)
    published = [data for event, data in watched.published if event == "alerts"]
    assert published[-1] == watched.alerts.states()
    assert {state["state"] for state in published[0]} == {"inactive", "pending"}
    assert all(one != other for one, other in pairwise(published))


async def test_a_restart_starts_empty(watched: Watched) -> None:
    watched.run(50)
    await watched.watch(1)
    assert set(watched.published[-1][1]["values"].values()) == {None}
