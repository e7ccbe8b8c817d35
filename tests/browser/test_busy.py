"""Pages of a service with 200 runs a second: they follow, answer at once, and need no more memory with time.

That is promised for five minutes: TEST_BUSY_SECONDS=300 pytest -o faulthandler_timeout=900
"""

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.integration.conftest import StartService
from tests.support.browser import is_live
from tests.support.command import Command, running_command
from tests.support.page_vitals import Kept, PageVitals
from tests.support.polling import LIMIT, wait_until
from tests.support.process import Service

RATE = 200
SECONDS = float(os.environ.get("TEST_BUSY_SECONDS", "10"))
ALONE = "TEST_BUSY_SECONDS" in os.environ
"""Whether the machine does nothing else; else how fast it is says nothing, and only memory is judged."""
LEAST_RATE = 0.8 * RATE if ALONE else 0
POINTS = 4
"""How often memory is looked at in that time."""
KNOWN_RUNS = 500
"""Ended runs that a page keeps; the service keeps as many traces."""
LATEST_SHOWN = 12

GROWTH = 1.25
"""What a page may have at the end for each that it had before, besides what follows."""
MORE_HEAP = 4.0
"""Megabytes: its charts fill for 15 minutes."""
MORE_WORKER_HEAP = 0.3
MORE_NODES = 500
MORE_LISTENERS = 100
MORE_MEMORY = 40.0
"""Megabytes that the service may have grown by."""
PATIENCE = 2.0 if ALONE else LIMIT
"""Seconds that a reader may have to wait; mostly it is a fraction of one."""
BEHIND = 5.0 if ALONE else LIMIT
"""Seconds that a list may be behind: the run at its top has taken some of them itself."""


@pytest.fixture
def service(start_service: StartService) -> Service:
    """Without a line of log for each task of each run."""
    return start_service(RETRYSCOPE_LOG_LEVEL="WARNING")


@pytest.fixture
def load(service: Service, tmp_path: Path) -> Iterator[Command]:
    """Runs of every kind until the test ends; never so many at a time that the service would refuse one."""
    url = f"--url=http://127.0.0.1:{service.port}"
    what = ("--scenario=mixed", "--background=0", "--time-scale=0.05", "--max-in-flight=150", "--seed=1")
    options = (url, *what, f"--rate={RATE}", "--forever", "--json=-")
    with running_command(tmp_path / "load", "load", *options) as command:
        yield command


def runs_ended(service: Service) -> float:
    return service.metric("resilience_workflow_duration_seconds_count")


def go(page: Page, title: str) -> float:
    """Follow the link to a page; seconds until it is there."""
    start = time.monotonic()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=title).click()
    expect(page).to_have_title(f"{title} · Retryscope")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return time.monotonic() - start


def look_around(page: Page) -> float:
    """Visit every page and come back; seconds of the longest wait."""
    last = page.title().partition(" ")[0]
    return max(go(page, title) for title in ("Metrics", "Runs", "Alerts", "Start", last))


def new_runs(page: Page) -> int:
    """Runs that the page of all runs holds back until the reader asks for them."""
    return int((page.get_by_role("button", name="new").text_content() or "").split()[0])


def follows(page: Page, runs: str) -> None:
    """Wait until the run at the top of a list is a new one."""
    began = page.get_by_role("list", name=runs, exact=True).locator("time").first

    def age() -> float:
        return time.time() - datetime.fromisoformat(began.get_attribute("datetime") or "").timestamp()

    wait_until(lambda: age() < BEHIND, "the page follows")
    is_live(page)


def wait_until_same(page: Page, service: Service) -> None:
    """Wait until the page's latest runs are those of the service, of which none ends any more."""
    known = service.get("/console/snapshot").body["runs"]
    latest = sorted(known, key=lambda run: float(run["ended_at"]), reverse=True)
    wanted = [run["id"] for run in latest[:LATEST_SHOWN]]
    rows = page.get_by_role("list", name="Latest runs").get_by_role("listitem")
    wait_until(
        lambda: rows.evaluate_all("rows => rows.map(row => row.dataset.run)") == wanted,
        "the page shows the last runs",
    )


def assert_bounded(points: list[Kept]) -> None:
    first, last = points[0], points[-1]
    assert last.heap <= GROWTH * first.heap + MORE_HEAP, points
    assert last.worker <= GROWTH * first.worker + MORE_WORKER_HEAP, points
    assert last.nodes <= GROWTH * first.nodes + MORE_NODES, points
    assert last.listeners <= GROWTH * first.listeners + MORE_LISTENERS, points


def test_pages_of_a_busy_service_follow_and_need_no_more_memory_with_time(
    visit: Visit, service: Service, load: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    # Each in a window of its own: a browser draws only what is in front.
    home, all_runs = pages = visit(service).open("/"), visit(service).open("/runs")
    for page in pages:
        is_live(page)
        look_around(page)  # so that nothing is loaded for the first time later on
    wait_until(lambda: new_runs(all_runs) >= 0.8 * KNOWN_RUNS, "as many runs are known as are kept")

    vitals = [PageVitals(page) for page in pages]
    kept = [[each.kept()] for each in vitals]
    memory = [service.memory()]
    for each in vitals:
        each.watch_frames()
    runs, start = runs_ended(service), time.monotonic()
    for _ in range(POINTS):
        home.wait_for_timeout(SECONDS / POINTS * 1000)
        memory.append(service.memory())
        for each, points in zip(vitals, kept, strict=True):
            points.append(each.kept())
    rate = (runs_ended(service) - runs) / (time.monotonic() - start)
    frames = [each.frames() for each in vitals]

    assert new_runs(all_runs) >= 0.8 * KNOWN_RUNS
    all_runs.get_by_role("button", name="new").click()
    for page, name in zip(pages, ("Latest runs", "Runs"), strict=True):
        follows(page, name)
    waits = [look_around(page) for page in pages]
    assert load.end() == 0
    expect(home.get_by_text("Nothing runs.")).to_be_visible()
    wait_until_same(home, service)

    with capsys.disabled():
        print(  # noqa: T201
            f"\n{rate:.0f} runs a second for {SECONDS:g} s;"
            f" memory of the service: {memory[0]:.0f} to {memory[-1]:.0f} MB"
        )
        for points, seen, wait in zip(kept, frames, waits, strict=True):
            print(f"{seen}; longest wait {wait:.2f} s; {points[0]} to {points[-1]}")  # noqa: T201
    assert "429" not in json.loads(load.stdout)["total"]["statuses"]
    assert rate > LEAST_RATE
    assert memory[-1] < memory[0] + MORE_MEMORY
    for points, seen, wait in zip(kept, frames, waits, strict=True):
        assert_bounded(points)
        assert seen.number > 1  # else it was not in front
        assert seen.gap < PATIENCE
        assert wait < PATIENCE
