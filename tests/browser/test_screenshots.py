"""Pictures of each page in both themes, of a service with traffic.

They are written into a folder of the test. With RETRYSCOPE_SCREENSHOTS=1, as `make screenshots` sets it, they
are written to docs/screenshots instead, after a minute and a half of traffic, which fills the charts.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.conftest import ROOT
from tests.support.browser import THEMES, is_live
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.waterfall import Waterfall, submit

IS_WANTED = os.environ.get("RETRYSCOPE_SCREENSHOTS") == "1"
SECONDS = 90 if IS_WANTED else 3
LEAST_BYTES = 20_000
"""A picture of an empty page is far smaller."""


def wait_for_traffic(service: Service) -> None:
    """Let traffic come in for a while, and with it what the charts and the lists show."""
    traffic = {"scenario": "mixed", "rate": 10, "duration_seconds": 600}
    answer = service.call("PUT", "/console/traffic", traffic).answer()
    assert answer.status == 200, answer

    def points() -> bool:
        charts = service.get("/console/history").body["charts"]
        (rate,) = (chart for chart in charts if chart["id"] == "rate")
        return any(
            sum(value is not None for value in series["points"]["1"]) >= SECONDS for series in rate["series"]
        )

    wait_until(points, f"{SECONDS} s of traffic are in the history", limit=4 * SECONDS + 60)


def take(page: Page, folder: Path, name: str) -> None:
    """One picture for each theme."""
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert is_dark == (theme == "dark")
        page.screenshot(path=folder / f"{name}-{theme}.png", animations="disabled", caret="hide")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = ROOT / "docs" / "screenshots" if IS_WANTED else tmp_path / "screenshots"
    place.mkdir(exist_ok=True)
    return place


def test_pictures_of_each_page_in_both_themes(visit: Visit, service: Service, folder: Path) -> None:
    wait_for_traffic(service)
    params = {"failure_rate": 1, "max_retries": 3, "duration": 0.15, "base_delay": 0.15}
    run = submit(service, "retry", **params)
    visitor = visit(service, viewport={"width": 1280, "height": 860})

    home = visitor.open("/?workflow=retry")
    is_live(home)
    expect(home.get_by_role("list", name="Latest runs").get_by_role("listitem").first).to_be_visible()
    expect(home.locator("canvas").first).to_be_visible()
    take(home, folder, "start")

    runs = visitor.open("/runs")
    expect(runs.get_by_role("list", name="Runs", exact=True).get_by_role("listitem").first).to_be_visible()
    take(runs, folder, "runs")

    page = visitor.open(f"/runs/{run}")
    waterfall = Waterfall(page)
    waterfall.wait_for_end("exhausted")
    waterfall.row("attempt flaky_api_call #2").click()
    expect(page.get_by_role("complementary", name="Span details")).to_be_visible()
    take(page, folder, "run")

    metrics = visitor.open("/metrics")
    expect(metrics.locator("canvas").first).to_be_visible()
    take(metrics, folder, "metrics")

    alerts = visitor.open("/alerts")
    expect(alerts.get_by_role("heading", level=1)).to_be_visible()
    is_live(alerts)
    take(alerts, folder, "alerts")

    assert service.call("DELETE", "/console/traffic").answer().status == 200
    pictures = {path.name: path.stat().st_size for path in folder.glob("*.png")}
    pages = ("start", "runs", "run", "metrics", "alerts")
    assert pictures.keys() == {f"{page}-{theme}.png" for page in pages for theme in THEMES}
    assert min(pictures.values()) > LEAST_BYTES
