"""The start page: presets, what stands where, and the one colour of an outcome."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.integration.conftest import running_service
from tests.support.browser import Visitor, is_live
from tests.support.process import Service
from tests.support.waterfall import Waterfall, submit


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests here, with one run that gave up."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        submit(service, "retry", failure_rate=1, time_scale=0.01)
        yield service


@dataclass(frozen=True)
class Preset:
    """What a preset promises: the workflow, how its run ends, and how its tasks do."""

    title: str
    workflow: str
    outcome: str
    tasks: frozenset[str]


PRESETS = [
    Preset("An exhausted retry", "retry", "exhausted", frozenset({"exhausted"})),
    Preset("A cancel with cleanup", "cancellation", "success", frozenset({"success", "cancelled"})),
    Preset("A timeout", "timeouts", "success", frozenset({"success", "timeout"})),
    Preset("Failed tasks in a success", "concurrent", "success", frozenset({"success", "error"})),
    Preset("A checkout on real dependencies", "checkout", "success", frozenset({"success"})),
]


def top(place: Locator) -> float:
    box = place.bounding_box()
    assert box is not None
    return box["y"]


def colour(place: Locator, of: str) -> str:
    return str(place.evaluate(f"(element) => getComputedStyle(element).{of}"))


def started(page: Page, title: str) -> str:
    """Id of the run that a preset starts, from the address that it leads to."""
    page.goto("/", wait_until="domcontentloaded")
    page.get_by_role("button", name=title).click()
    expect(page.get_by_role("treegrid")).to_be_visible()
    return page.url.rpartition("/")[2]


def test_each_preset_starts_the_run_that_it_names(visitor: Visitor, service: Service) -> None:
    """With a seed, so that it ends like this each time."""
    page = visitor.open("/")
    is_live(page)
    expect(page.get_by_role("region", name="See one").get_by_role("button")).to_have_text(
        [preset.title for preset in PRESETS]
    )
    runs = {preset: started(page, preset.title) for preset in PRESETS}
    for preset, run in runs.items():
        page.goto(f"/runs/{run}", wait_until="domcontentloaded")
        Waterfall(page).wait_for_end(preset.outcome)
        record = service.get(f"/runs/{run}").body
        assert (record["workflow"], record["result"]["outcome"]) == (preset.workflow, preset.outcome)
        assert {task["outcome"] for task in record["result"]["tasks"]} == preset.tasks
        assert record["params"]["seed"] is not None


def test_the_runs_begin_early_and_nothing_is_empty_or_alone(
    visitor: Visitor, visit: Visit, service: Service
) -> None:
    """On a desk and on a phone; the small charts fill their rows."""
    page = visitor.open("/")
    for width, latest in ((1280, 360), (390, 560)):
        page.set_viewport_size({"width": width, "height": 860})
        is_live(page)
        runs = page.get_by_role("region", name="In flight")
        expect(page.get_by_role("list", name="Latest runs").get_by_role("listitem").first).to_be_visible()
        box = runs.bounding_box()
        assert box is not None
        assert box["height"] < 110
        assert top(page.get_by_role("region", name="Latest runs")) < latest
        error = page.get_by_role("list", name="Latest runs").locator(".run-error").first.bounding_box()
        assert error is not None
        assert error["width"] >= 200
        assert top(runs) < top(page.get_by_role("region", name="Traffic")) or width == 1280
        charts = page.locator(".chart-small")
        expect(charts).to_have_count(4)
        tops = [top(charts.nth(number)) for number in range(4)]
        assert {tops.count(each) for each in tops} == ({2} if width == 1280 else {1})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_exhausted_retry_has_one_colour(visitor: Visitor) -> None:
    """In the row of its run, in the legend, and in the chart's line, which the legend is drawn like."""
    page = visitor.open("/")
    legend = page.get_by_role("list", name="Runs by outcome now").get_by_role("listitem")
    line = legend.filter(has_text="exhausted").locator("line")
    expect(line).to_have_count(1)
    error = legend.filter(has_text="error").locator("line")
    assert colour(line, "stroke") == colour(error, "stroke")
    chip = page.get_by_role("list", name="Latest runs").locator(".chip", has_text="exhausted").first
    tone = "getPropertyValue('--tone')"
    assert colour(chip, tone) == colour(line, tone) != ""
