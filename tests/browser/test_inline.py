"""The page of an inline run: it can be run again, and says why it can't be cancelled."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.integration.conftest import running_service
from tests.support.browser import Visitor, inaccessible, is_live
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.waterfall import Waterfall

PARAMS = {"failure_rate": 1, "max_retries": 1, "base_delay": 0.1, "duration": 0.1, "seed": 7}
REASON = "to cancel it, its client has to disconnect"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests here."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


def latest(visitor: Visitor, runs: str) -> Page:
    """The page of the run that is first in a list, reached as a reader does."""
    page = visitor.open("/")
    is_live(page)
    page.get_by_role("list", name=runs).get_by_role("listitem").first.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f]{32}-[0-9a-f]{16}$"))
    return page


def test_it_is_run_again_in_the_background(visitor: Visitor, service: Service) -> None:
    """With the same parameters."""
    answer = service.run("retry", **PARAMS)
    page = latest(visitor, "Latest runs")
    Waterfall(page).wait_for_end("exhausted")
    expect(page.get_by_role("button", name="Cancel run")).to_have_count(0)
    expect(page.get_by_label("Parameters as JSON")).to_contain_text('"max_retries": 1')
    expect(page.get_by_label("Result as JSON")).to_contain_text('"outcome": "exhausted"')
    expect(page.get_by_label("Error as JSON")).to_contain_text("API temporarily unavailable")

    page.get_by_role("button", name="Run again", exact=True).click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f]{8}-"))
    Waterfall(page).wait_for_end("exhausted")
    record = service.get(f"/runs/{page.url.rsplit('/', 1)[1]}").body
    assert {name: record["params"][name] for name in PARAMS} == PARAMS
    assert record["workflow"] == "retry"
    assert record["trace_id"] != answer.body["trace_id"]
    page.go_back()
    expect(page.get_by_text(REASON)).to_have_count(0)


def test_its_answer_is_there_once_it_has_ended(visitor: Visitor, service: Service) -> None:
    """On a page that was open before; of a long answer the first tasks, and it says that there are more."""
    answer = service.start_run("concurrent", tasks=200, duration=2, failure_rate=0)

    def run() -> str | None:
        runs = service.get("/console/snapshot").body["runs"]
        return next((each["id"] for each in runs if each["workflow"] == "concurrent"), None)

    page = visitor.open(f"/runs/{wait_until(run, 'it has started')}")
    expect(page.get_by_label("Parameters as JSON")).to_contain_text('"tasks": 200')
    whole = answer.answer().body
    result = page.get_by_label("Result as JSON")
    expect(result).to_contain_text('"succeeded": 200')
    shown = json.loads(result.text_content() or "")
    tasks = len(shown["tasks"])
    assert 20 < tasks < 200
    assert shown == {**whole, "tasks": whole["tasks"][:tasks]}
    expect(page.get_by_text(f"Cut: {tasks} of 200 tasks; counts are of all.")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 860})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert inaccessible(page) == {}


def test_while_it_runs_it_says_who_can_cancel_it(visitor: Visitor, service: Service) -> None:
    run = service.start_run("sequential", tasks=1, duration=300)
    page = latest(visitor, "Runs in flight")
    expect(page.get_by_text(REASON)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel run")).to_have_count(0)
    run.disconnect()
    Waterfall(page).wait_for_end("cancelled")
    expect(page.get_by_text(REASON)).to_have_count(0)
    expect(page.get_by_role("button", name="Run again", exact=True)).to_be_visible()


def test_of_which_nothing_is_known_it_can_not_be_run_again(visitor: Visitor, service: Service) -> None:
    trace_id = service.run("retry", failure_rate=0, duration=0).body["trace_id"]
    visitor.expect_problem("404")
    page = visitor.open(f"/runs/{trace_id}-{'9' * 16}")
    expect(page.get_by_text("What this run was started with is no longer known")).to_be_visible()
    expect(page.get_by_role("button", name="Run again", exact=True)).to_have_count(0)
