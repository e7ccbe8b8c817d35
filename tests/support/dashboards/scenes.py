"""The four states in which a dashboard has to be readable, as moments of one Prometheus' time.

Time is compressed: a scrape each second instead of each 5 seconds, and rules at a twentieth of their
windows. "Five minutes after the last request" are 60 scrapes, as then.
"""

import json
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from retryscope_service.slo import recording
from tests.support.dashboards.model import Json
from tests.support.dashboards.traffic import drive_rare
from tests.support.process import COMMAND, Service
from tests.support.prometheus import Prometheus

STATES: Final = ("empty", "full", "firing", "idle")
IDLE_SCRAPES: Final = 60
"""As many as there are in five minutes at the interval that is shipped."""
LONG_BEFORE: Final = 3600
"""Seconds before the first scrape, more than any time range or window reaches back."""
SCALE: Final = 0.05
SCRAPE_INTERVAL: Final = 1.0
"""Seconds; half of it are too few for a scrape on a busy machine, and ServiceDown would fire."""
INCIDENTS: Final = ("timeouts", "retry-storm", "failures")
"""Kinds of traffic, one after the other; the last one goes on in the state `firing`, and fires the next."""
_FIRING: Final = 'ALERTS{alertname="FailureBudgetBurn", alertstate="firing"}'


@dataclass(frozen=True)
class Scene:
    """A moment, and the traces that the service knew then.

    Attributes:
        at: Unix time in whole seconds, as Grafana asks.
        traces: File with OTLP JSON.
    """

    at: int
    traces: Path


def compressed_rules() -> str:
    """The shipped rules with short windows, each group evaluated with every scrape."""
    options = ["--scale", str(SCALE), "--floor", str(4 * SCRAPE_INTERVAL)]
    text = subprocess.run([COMMAND, "rules", *options], check=True, capture_output=True, text=True).stdout
    rules = yaml.safe_load(text)
    for group in rules["groups"]:
        group["interval"] = f"{SCRAPE_INTERVAL * 1000:.0f}ms"
    return yaml.safe_dump(rules, width=10_000)


@contextmanager
def traffic(service: Service, scenario: str, rate: float) -> Iterator[None]:
    """The service's own traffic during the block."""
    wanted = {"scenario": scenario, "rate": rate, "duration_seconds": 600}
    answer = service.call("PUT", "/console/traffic", wanted).answer()
    assert answer.status == 200, answer
    yield
    assert service.call("DELETE", "/console/traffic").answer().status == 200


def play(
    service: Service, prometheus: Prometheus, folder: Path, wanted: Collection[str], *, scrapes: int
) -> dict[str, Scene]:
    """Drive the service through the states.

    Args:
        service: It has had no traffic yet.
        prometheus: It scrapes the service, with :func:`compressed_rules`.
        folder: For the traces.
        wanted: The states to be drawn; `idle` takes a minute more.
        scrapes: How long each kind of traffic lasts, at least.
    """
    scenes: dict[str, Scene] = {}

    def remember(state: str, at: int) -> None:
        file = folder / f"{state}.traces.json"
        known = {"resourceSpans": []} if state == "empty" else service.get("/traces?limit=100").body
        file.write_text(json.dumps(known))
        scenes[state] = Scene(at, file)

    remember("empty", int(time.time()) - LONG_BEFORE)
    drive_rare(service)
    with traffic(service, "mixed", rate=5):
        wait_for_scrapes(prometheus, scrapes)
        prometheus.moment_when(recording.BUDGET_REMAINING, "the budget is counted")
        for _ in range(3):  # a single burst may lie between two points of a curve
            drive_rare(service)
            wait_for_scrapes(prometheus, 2)
        remember("full", prometheus.moment_when(recording.BUDGET_REMAINING, "the budget is counted"))
    for scenario in INCIDENTS:
        with traffic(service, scenario, rate=6):
            wait_for_scrapes(prometheus, scrapes)
            if scenario == INCIDENTS[-1]:
                remember("firing", prometheus.moment_when(_FIRING, f"{_FIRING} fires"))
    if "idle" in wanted:
        wait_for_scrapes(prometheus, IDLE_SCRAPES)
        remember("idle", prometheus.moment_when("up", "the last scrape has arrived"))
    return {state: scene for state, scene in scenes.items() if state in wanted}


def described(scenes: Mapping[str, Scene], seconds: float) -> Json:
    """What the renderer reads.

    Args:
        scenes: By state.
        seconds: Of the time range that is drawn.
    """
    states = {state: {"at": scene.at, "traces": str(scene.traces)} for state, scene in scenes.items()}
    return {"scrape": SCRAPE_INTERVAL, "seconds": seconds, "states": states}


def wait_for_scrapes(prometheus: Prometheus, number: float) -> None:
    """Wait for them no longer than a scene may take."""
    prometheus.wait_for_scrapes(number, limit=60 + 2 * number)
