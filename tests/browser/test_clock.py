"""A browser whose clock is not that of the service: what the page says about time is right all the same."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.integration.conftest import StartService
from tests.support.browser import Visitor
from tests.support.polling import LIMIT, wait_until
from tests.support.process import Service
from tests.support.waterfall import Waterfall

HOUR = 3600
INACCURATE = LIMIT
"""Seconds that a page may be off: what the machine needs to start a run, to draw, and to look at that.
By the clock of the browser it would be an hour."""
WAITING = {"failure_rate": 1, "max_retries": 1, "duration": 0.1, "base_delay": 300, "max_delay": 300}

_SHIFT = """import time

real, real_ns = time.time, time.time_ns
time.time = lambda: real() + {seconds}
time.time_ns = lambda: real_ns() + {seconds} * 10**9
"""


@pytest.fixture(params=[HOUR, -HOUR], ids=["browser-behind", "browser-ahead"])
def service(request: pytest.FixtureRequest, start_service: StartService, tmp_path: Path) -> Service:
    """One whose clock is shifted: then that of the browser is wrong for its pages and its workers alike."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SHIFT.format(seconds=request.param))
    service = start_service(PYTHONPATH=str(site))
    shift = service.get("/console/snapshot").body["time"] - time.time()
    assert abs(shift - request.param) < INACCURATE
    return service


def assert_counts_from(start: float, text: Locator) -> None:
    """The text says how many seconds have passed since then, and goes on counting."""

    def shown() -> float:
        found = re.fullmatch(r"([\d.]+) s( so far)?", text.text_content() or "")
        return float(found[1]) if found else 0.0

    before = wait_until(lambda: shown() >= 1 and shown(), "it is about a second, and not an hour")
    wait_until(lambda: shown() > before, "it counts")
    assert abs(shown() - (time.monotonic() - start)) < INACCURATE


def test_what_runs_is_as_old_as_it_is_at_the_service(visitor: Visitor, service: Service) -> None:
    """In a list, and in the waterfall, whose bars grow with the time of the service."""
    start = time.monotonic()
    run = service.start_run("retry", **WAITING)
    page = visitor.open("/")
    row = page.get_by_role("list", name="Runs in flight").get_by_role("listitem")
    assert_counts_from(start, row.locator(".number"))
    began = row.locator("time")
    expect(began).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(began).not_to_have_text(began.text_content() or "")

    row.get_by_role("link").click()
    waterfall = Waterfall(page)
    lane = "retry flaky_api_call"
    expect(waterfall.row("backoff flaky_api_call (300 s planned), backoff, running")).to_be_visible()
    assert_counts_from(start, waterfall.row(lane).locator("[data-running-since]"))
    attempt, backoff = waterfall.bars(lane)[1:]
    wait_until(lambda: waterfall.bars(lane)[2].width > backoff.width, "the bar of what runs grows")
    assert waterfall.bars(lane)[1].width < attempt.width

    run.disconnect()
    waterfall.wait_for_end("cancelled")
