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
from tests.support.browser import THEMES, Visitor, is_live
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


def opened(visitor: Visitor, run: str, order: str) -> dict[str, Page]:
    """The pages by their names, each with what its picture is to show."""
    start = visitor.open("/?workflow=retry")
    is_live(start)
    expect(start.get_by_role("list", name="Latest runs").get_by_role("listitem").first).to_be_visible()
    expect(start.locator("canvas").first).to_be_visible()

    runs = visitor.open("/runs")
    expect(runs.get_by_role("list", name="Runs", exact=True).get_by_role("listitem").first).to_be_visible()

    one_run = visitor.open(f"/runs/{run}")
    waterfall = Waterfall(one_run)
    waterfall.wait_for_end("exhausted")
    waterfall.row("attempt flaky_api_call #2").click()
    expect(one_run.get_by_role("complementary", name="Span details")).to_be_visible()

    checkout = visitor.open(f"/runs/{order}")
    Waterfall(checkout).wait_for_end("success")
    checkout.set_viewport_size({"width": 1280, "height": 1700})  # all of its spans

    metrics = visitor.open("/metrics")
    expect(metrics.locator("canvas").first).to_be_visible()

    alerts = visitor.open("/alerts")
    is_live(alerts)
    expect(alerts.get_by_text("FailureBudgetBurn").first).to_be_visible()
    return {
        "start": start,
        "runs": runs,
        "run": one_run,
        "checkout": checkout,
        "metrics": metrics,
        "alerts": alerts,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = ROOT / "docs" / "screenshots" if IS_WANTED else tmp_path / "screenshots"
    place.mkdir(exist_ok=True)
    return place


def test_pictures_of_each_page_in_both_themes(visit: Visit, service: Service, folder: Path) -> None:
    wait_for_traffic(service)
    params = {"failure_rate": 1, "max_retries": 3, "duration": 0.15, "base_delay": 0.15}
    run = submit(service, "retry", **params)
    submit(service, "checkout")  # which makes the tables of the shop
    order = submit(service, "checkout", sku="lamp", quantity=2)
    names = set()
    for theme in THEMES:
        visitor = visit(service, viewport={"width": 1280, "height": 860}, color_scheme=theme)
        for name, page in opened(visitor, run, order).items():
            page.bring_to_front()
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            picture = page.screenshot(
                path=folder / f"{name}-{theme}.png", animations="disabled", caret="hide"
            )
            assert len(picture) > LEAST_BYTES, name
            names.add(f"{name}-{theme}.png")
    assert {path.name for path in folder.iterdir()} == names
    assert service.call("DELETE", "/console/traffic").answer().status == 200
