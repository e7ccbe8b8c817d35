"""What failed inside a run is seen wherever the run is shown, and is found by what people hold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.integration.conftest import running_service
from tests.support.browser import Visitor, inaccessible, is_live
from tests.support.process import Service, traceparent
from tests.support.waterfall import Waterfall, open_run, submit, wait_for_run

INLINE_TRACE = "7" * 32


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests here."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@dataclass(frozen=True)
class Runs:
    """Ids of ended runs: one in which all failed though it says success, and others."""

    all_failed: str
    some_failed: str
    timed_out: str
    exhausted: str
    clean: str


@pytest.fixture(scope="module")
def runs(service: Service) -> Runs:
    limits = [{"name": "A", "duration": 3, "timeout": 0.1}, {"name": "B", "duration": 0, "timeout": 9}]
    runs = Runs(
        all_failed=submit(service, "sequential", tasks=5, failure_rate=1, time_scale=0.001),
        some_failed=submit(service, "concurrent", tasks=30, failure_rate=0.3, seed=1, time_scale=0.001),
        timed_out=submit(service, "timeouts", operations=limits, time_scale=0.1),
        exhausted=submit(service, "retry", failure_rate=1, max_retries=1, time_scale=0.001),
        clean=submit(service, "sequential", tasks=2, failure_rate=0, time_scale=0.001),
    )
    for run in vars(runs).values():
        wait_for_run(service, run)
    headers = traceparent(INLINE_TRACE)
    answer = service.call("POST", "/workflows/sequential", {"tasks": 1, "failure_rate": 1}, headers).answer()
    assert answer.body["counts"]["failed"] == 1
    return runs


def rows(page: Page, label: str = "Runs") -> Locator:
    return page.get_by_role("list", name=label, exact=True).get_by_role("listitem")


def row(page: Page, run: str) -> Locator:
    return page.locator(f"[data-run='{run}']")


def test_a_success_with_failures_says_so_in_its_row_and_is_found(
    visitor: Visitor, service: Service, runs: Runs
) -> None:
    """By the filter, by its error, by the id of its trace; also in the address, as an alert links to it."""
    page = visitor.open("/runs")
    is_live(page)
    failed = row(page, runs.all_failed)
    expect(failed.locator(".chip").first).to_have_class(re.compile("tone-backoff"))
    expect(failed).to_contain_text("! success")
    expect(failed).to_contain_text("✕ 5 failed")
    expect(failed).to_contain_text("of 5 tasks · background · 5 attempts")
    expect(failed).to_contain_text("ValueError: Task 4 failed")
    expect(row(page, runs.timed_out)).to_contain_text("◷ 1 timed out")
    expect(row(page, runs.exhausted)).to_contain_text("ApiUnavailableError: API temporarily unavailable")
    expect(row(page, runs.clean)).to_contain_text("✓ success")
    expect(row(page, runs.clean)).not_to_contain_text("failed")
    started = row(page, runs.clean).locator("time")
    expect(started).to_have_text(re.compile(r"^(just now|\d+ (s|min) ago)$"))
    expect(started).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"))

    facet = page.get_by_role("radiogroup", name="Failures")
    expect(facet.get_by_role("radio", name="some 5")).to_be_visible()
    facet.get_by_role("radio", name="none 1").click()
    expect(rows(page)).to_have_count(1)
    expect(row(page, runs.clean)).to_be_visible()
    page.goto("/runs?failures=some", wait_until="domcontentloaded")
    expect(rows(page)).to_have_count(5)
    expect(row(page, runs.clean)).to_have_count(0)
    page.get_by_role("radiogroup", name="Error").get_by_role("radio", name="ValueError 3").click()
    expect(page).to_have_url(re.compile(r"failures=some&error=ValueError$"))
    expect(rows(page)).to_have_count(3)
    page.get_by_role("radiogroup", name="Started").get_by_role("radio", name="1 h 3").click()
    expect(rows(page)).to_have_count(3)
    page.get_by_label("Started after").fill("2001-01-01T00:00")
    page.get_by_label("Started before").fill("2002-01-01T00:00")
    expect(rows(page)).to_have_count(0)
    page.get_by_role("button", name="Load older runs").click()
    expect(page.get_by_text("There are none that match.")).to_be_visible()

    page.goto("/runs", wait_until="domcontentloaded")
    is_live(page)
    search = page.get_by_role("searchbox", name="Search")
    search.fill("apiunavailable")
    expect(rows(page)).to_have_count(1)
    trace_id = service.get(f"/runs/{runs.some_failed}").body["trace_id"]
    search.fill(trace_id)
    expect(rows(page)).to_have_count(1)
    expect(row(page, runs.some_failed)).to_be_visible()
    search.fill(INLINE_TRACE)
    expect(rows(page)).to_contain_text(["inline"])
    page.get_by_role("link", name=f"Open the trace {INLINE_TRACE[:8]}").click()
    expect(page).to_have_url(re.compile(f"/runs/{INLINE_TRACE}$"))
    expect(Waterfall(page).row("workflow sequential")).to_be_visible()


def test_older_runs_are_found_and_counted_as_well(visitor: Visitor, service: Service, runs: Runs) -> None:
    """From their records, though this page has not seen them run."""
    visitor.context.route("**/console/snapshot", lambda route: route.abort())
    visitor.expect_problem("ERR_FAILED")
    page = visitor.open("/runs?failures=some&error=ValueError")
    page.get_by_role("button", name="Load older runs").click()
    expect(rows(page, "Older runs")).to_have_count(2)
    failed = row(page, runs.all_failed)
    expect(failed).to_contain_text("✕ 5 failed")
    expect(failed).to_contain_text("of 5 tasks · background · 5 attempts")
    expect(failed).to_contain_text("ValueError: Task 4 failed")


def test_the_page_of_a_run_counts_what_its_answer_counts(
    visitor: Visitor, service: Service, runs: Runs
) -> None:
    page = visitor.context.new_page()
    for run in (runs.some_failed, runs.all_failed):
        open_run(page, run)
        result = service.get(f"/runs/{run}").body["result"]
        failed, total = result["counts"]["failed"], len(result["tasks"])
        status = page.get_by_test_id("run-status")
        expect(status).to_have_text(f"! success, {failed} of {total} tasks failed")
        expect(status.locator(".chip")).to_have_class(re.compile("tone-backoff"))
        expect(page.get_by_test_id("run-counts")).to_contain_text(f"✕ {failed} failed")
        attempts = page.locator(".run-facts > div").filter(has_text="Attempts").locator("dd")
        expect(attempts).to_have_text(f"{total}, {failed} failed")
    assert inaccessible(page) == {}
    page.goto("/runs?failures=some", wait_until="domcontentloaded")
    expect(rows(page)).to_have_count(5)
    assert inaccessible(page) == {}
