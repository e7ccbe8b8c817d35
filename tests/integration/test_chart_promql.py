"""Each chart of the console and its PromQL, asked of a real Prometheus, are the same number in each second.

Both get the same scrapes: the charts as the console takes them, Prometheus by the samples and their times.
A Prometheus that scraped a running service would look at another moment than the console, by as much as the
machine is busy, so that the two could only be compared roughly.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from retryscope_service.console.console import Console
from retryscope_service.monitor.charts import charts
from retryscope_service.monitor.curves import WINDOW, WINDOWS
from retryscope_service.monitor.history import ChartHistory
from retryscope_service.monitor.process import ProcessMetrics
from retryscope_service.monitor.scrape import RegistryScraper
from retryscope_service.slo.definition import read_definition
from retryscope_service.traces.span_store import SpanStore
from tests.support import clock
from tests.support.prometheus import Prometheus, prometheus
from tests.support.promtool import Promtool
from tests.support.recorded import recording
from tests.unit.retryscope_service.helpers import Api, serving

START = 1_700_000_000
"""Any time: nothing here looks at a clock."""
SECONDS = 30
COMPARED = range(START + WINDOWS[1], START + SECONDS)
"""The seconds with a whole window before them."""
RUNS_PER_SECOND = 10
LABELS = '{job="retryscope",instance="of-this-test"'
CHARTS = [chart.id for chart in charts(read_definition())]
NEVER = {
    "rate.error",
    "rate.timeout",
    "cancellations.deadline",
    "cancellations.shutdown",
    "cancellations.sibling",
}
"""Series that stay 0."""

SampledSeries = dict[str, list[tuple[int, float]]]


@dataclass
class Watched:
    """The charts after some seconds of traffic, and a Prometheus with the same samples."""

    document: Any
    prometheus: Prometheus

    def chart(self, chart_id: str) -> Any:
        (chart,) = (each for each in self.document["charts"] if each["id"] == chart_id)
        return chart

    def shown(self, series: Any) -> dict[int, float]:
        """Its values by their times, where there are any."""
        resolution = self.document["resolutions"][0]
        times = range(resolution["start"], resolution["start"] + resolution["length"])
        points = zip(times, series["points"]["1"], strict=True)
        return {time: value for time, value in points if time in COMPARED and value is not None}

    def asked(self, promql: str) -> dict[str, dict[int, float]]:
        """The same of Prometheus, by the label of the series that has one, else under an empty name."""
        data = self.prometheus.api(
            "query_range", query=promql, start=str(COMPARED[0]), end=str(COMPARED[-1]), step="1"
        )
        found = {}
        for series in data["result"]:
            (label,) = series["metric"].values() or ("",)
            found[label] = {int(time): float(value) for time, value in series["values"] if value != "NaN"}
        return found


async def observe() -> tuple[Any, SampledSeries]:
    """Traffic of every kind on a virtual clock, looked at each second: the charts, and all samples."""
    samples: SampledSeries = defaultdict(list)
    history = ChartHistory(charts(read_definition()))
    console = Console(SpanStore(max_traces=10, max_spans=1000))
    with recording() as recorded:
        scraper, process_metrics = RegistryScraper(recorded.registry), ProcessMetrics(recorded.registry)
        async with serving(recorded, console) as api:
            watching, busy = (
                asyncio.create_task(process_metrics.watch_loop()),
                asyncio.create_task(keep_busy(api)),
            )
            for second in range(START, START + SECONDS):
                await asyncio.sleep(1)
                history.add(second, scraper.scrape())
                take(recorded.registry, second, samples)
            await busy
            watching.cancel()
    return history.document(START + SECONDS - 1), samples


async def keep_busy(api: Api) -> None:
    """Runs of every workflow, some of whose clients go away, on a loop that stands still now and then."""
    rng, loop = Random("charts"), asyncio.get_running_loop()
    workflows = ("sequential", "concurrent", "cancellation", "timeouts", "retry")

    async def run(workflow: str, patience: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await api.run(workflow, time_scale=0.3, seed=rng.randrange(1000))

    async with asyncio.TaskGroup() as group:
        while loop.time() < SECONDS:
            patience = rng.choice((0.3, *(3600.0,) * 9))
            group.create_task(run(rng.choice(workflows), patience))
            await asyncio.sleep(rng.expovariate(RUNS_PER_SECOND))
            if rng.random() < 0.05:
                clock.pass_time(rng.random() / 4)


def take(registry: CollectorRegistry, second: int, samples: SampledSeries) -> None:
    for family in registry.collect():
        for sample in family.samples:
            labels = "".join(f',{name}="{value}"' for name, value in sample.labels.items())
            samples[f"{sample.name}{LABELS}{labels}}}"].append((second, sample.value))


@pytest.fixture(scope="module")
def watched(
    system_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    document, samples = clock.run(observe())
    folder = tmp_path_factory.mktemp("charts")
    text = folder / "samples"
    lines = [f"{name} {value} {time}\n" for name, values in samples.items() for time, value in values]
    text.write_text("".join(lines) + "# EOF\n")
    stored = Promtool(system_tool("promtool")).store(text, folder / "prometheus" / "data")
    assert stored.passed, stored.output
    forever = ["--storage.tsdb.retention.time=100y"]
    with prometheus(system_tool("prometheus"), folder / "prometheus", None, options=forever) as server:
        yield Watched(document, server)


@pytest.mark.parametrize("chart_id", CHARTS)
def test_a_chart_shows_what_its_promql_shows(watched: Watched, chart_id: str) -> None:
    """In the ten seconds that a point of the finest resolution covers, their first moment included."""
    chart = watched.chart(chart_id)
    asked = watched.asked(chart["promql"].replace(f"[{WINDOW}]", f"[{WINDOWS[1]}s1ms]"))
    several = len(chart["series"]) > 1
    shown = {series["label"] if several else "": watched.shown(series) for series in chart["series"]}
    assert asked.keys() <= shown.keys()
    for label, values in shown.items():
        assert asked.get(label, {}) == pytest.approx(values, rel=2e-3, abs=1e-9), label


def test_there_was_something_to_compare(watched: Watched) -> None:
    """Every series had values, and not always the same, but for what these workflows don't do."""
    every = [series for chart in CHARTS for series in watched.chart(chart)["series"]]
    still = {each["key"] for each in every if len(set(watched.shown(each).values())) == 1}
    assert still == NEVER
    assert all(watched.shown(each) for each in every)
