"""The page of a run: its keys, its zoom, its details, and what can be done with the run."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.integration.conftest import StartService
from tests.support.browser import Visitor, inaccessible
from tests.support.polling import wait_until
from tests.support.process import Service, traceparent
from tests.support.waterfall import Waterfall, open_run, submit

FAILING = {"failure_rate": 1, "max_retries": 2, "duration": 0.1, "base_delay": 0.2}
LASTING = {"tasks": 2, "duration": 300, "failure_rate": 0}


@pytest.fixture
def service(shared_service: Service) -> Service:
    """One for the whole file: each test looks at runs of its own."""
    return shared_service


@pytest.fixture
def failed(visitor: Visitor, service: Service) -> Waterfall:
    """The page of a run whose three attempts failed."""
    waterfall = open_run(visitor.context.new_page(), submit(service, "retry", **FAILING))
    waterfall.wait_for_end("exhausted")
    return waterfall


def presser(waterfall: Waterfall) -> Callable[[str, str], None]:
    """Press a key, and wait for the row that has the focus then."""

    def press(key: str, text: str) -> None:
        waterfall.page.keyboard.press(key)
        waterfall.wait_for_focus(text)

    return press


def fact(page: Page, name: str) -> str:
    """What the summary says of the run."""
    found = page.locator(".run-facts > div", has=page.get_by_text(name, exact=True)).locator("dd")
    return found.text_content() or ""


# Keys


def test_arrows_home_and_end_move_between_rows(failed: Waterfall) -> None:
    press = presser(failed)
    failed.grid.get_by_role("row").first.focus()
    press("ArrowDown", "workflow retry")
    press("ArrowDown", "retry flaky_api_call")
    press("ArrowUp", "workflow retry")
    press("End", "attempt flaky_api_call #3")
    press("ArrowDown", "attempt flaky_api_call #3")
    press("Home", "POST")
    press("ArrowUp", "POST")


def test_right_and_left_open_and_close_rows(failed: Waterfall) -> None:
    press = presser(failed)
    lane = failed.row("retry flaky_api_call")
    lane.focus()
    press("ArrowRight", "attempt flaky_api_call #1")
    press("ArrowLeft", "retry flaky_api_call")
    press("ArrowLeft", "retry flaky_api_call")
    expect(lane).to_have_attribute("aria-expanded", "false")
    expect(failed.row("attempt")).to_have_count(0)
    press("ArrowLeft", "workflow retry")
    press("ArrowDown", "retry flaky_api_call")
    press("ArrowRight", "retry flaky_api_call")
    expect(failed.row("attempt")).to_have_count(3)


def test_typing_goes_to_the_row_of_that_name(failed: Waterfall) -> None:
    failed.grid.get_by_role("row").first.focus()
    failed.page.keyboard.type("attempt flaky_api_call #2")
    failed.wait_for_focus("attempt flaky_api_call #2")


def test_the_failed_attempt_is_found_and_read_by_keyboard_only(failed: Waterfall) -> None:
    """`e` leads to the attempts, past the rows that failed only because these did."""
    page, press = failed.page, presser(failed)
    press("e", "attempt flaky_api_call #1")
    press("e", "attempt flaky_api_call #2")
    press("E", "attempt flaky_api_call #1")
    page.keyboard.press("Enter")
    details = page.get_by_role("complementary", name="Span details")
    expect(details.get_by_role("heading", name="attempt flaky_api_call #1")).to_be_focused()
    expect(details).to_contain_text("ApiUnavailableError: API temporarily unavailable")
    page.keyboard.press("Escape")
    failed.wait_for_focus("attempt flaky_api_call #1")
    expect(details).to_have_count(0)


def test_e_finds_an_error_in_a_closed_lane(failed: Waterfall) -> None:
    failed.page.get_by_role("button", name="Collapse all").click()
    failed.row("workflow retry").focus()
    presser(failed)("e", "attempt flaky_api_call #1")


def test_slash_searches_and_enter_goes_to_what_was_found(failed: Waterfall) -> None:
    page = failed.page
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Find spans")).to_be_focused()
    page.keyboard.type("#2")
    wait_until(lambda: failed.count() == 4, "only the attempt and what leads to it is left")
    page.keyboard.press("Enter")
    failed.wait_for_focus("attempt flaky_api_call #2")
    page.get_by_role("searchbox").fill("no such span")
    expect(page.get_by_text("No span matches.")).to_be_visible()


def test_question_mark_shows_the_keys(failed: Waterfall) -> None:
    failed.row("workflow retry").focus()
    failed.page.keyboard.press("?")
    dialog = failed.page.get_by_role("dialog", name="Keys of the waterfall")
    expect(dialog).to_contain_text("next error")
    failed.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    failed.wait_for_focus("workflow retry")


def test_z_zooms_to_the_span_and_0_shows_all_again(failed: Waterfall) -> None:
    text = "attempt flaky_api_call #2"
    (before,) = failed.bars(text)
    failed.row(text).focus()
    failed.page.keyboard.press("z")
    width = failed.row(text).locator(".span-lane").evaluate("lane => lane.clientWidth")
    wait_until(lambda: 0.8 * width < failed.bars(text)[0].width < width, "the span fills the lane")
    assert 0 < failed.bars(text)[0].left < 0.2 * width
    failed.page.keyboard.press("0")
    wait_until(lambda: failed.bars(text) == [before], "all is as before")


# Zoom, filter


def test_the_thumbs_of_the_minimap_zoom_by_keyboard(failed: Waterfall) -> None:
    page, text = failed.page, "attempt flaky_api_call #3"
    (before,) = failed.bars(text)
    page.get_by_role("slider", name="Start of the visible time").focus()
    page.keyboard.press("PageUp")
    wait_until(lambda: failed.bars(text)[0].width > before.width * 1.05, "bars have become wider")
    assert abs(failed.bars(text)[0].right - before.right) <= 3
    page.get_by_role("button", name="Reset zoom").click()
    wait_until(lambda: failed.bars(text) == [before], "all is as before")


def test_filters_keep_what_leads_to_a_match(failed: Waterfall) -> None:
    page = failed.page
    page.get_by_role("radio", name="Errors").click()
    wait_until(lambda: failed.count() == 6, "backoffs are gone")
    expect(failed.row("backoff")).to_have_count(0)
    page.get_by_role("radio", name="Retries").click()
    wait_until(lambda: failed.count() == 8, "backoffs are back")
    page.get_by_role("radio", name="All").click()
    assert failed.texts()[0].startswith("POST")


# Details


def test_a_click_shows_attributes_events_and_the_stack_trace(failed: Waterfall) -> None:
    page = failed.page
    failed.row("attempt flaky_api_call #1").click()
    failed.wait_for_focus("attempt flaky_api_call #1")
    details = page.get_by_role("complementary", name="Span details")
    expect(details).to_contain_text("resilience.attempt.number")
    expect(details.get_by_role("listitem")).to_contain_text("exception")
    details.get_by_text("Stack trace").click()
    expect(details.locator("pre")).to_contain_text("ApiUnavailableError: API temporarily unavailable")


def test_a_link_leads_to_its_span(visitor: Visitor, service: Service) -> None:
    run = submit(service, "cancellation", durations=[300], cancel_after=0.1, cleanup=0)
    waterfall = open_run(visitor.context.new_page(), run)
    waterfall.wait_for_end("success")
    waterfall.row("task long_running_task (Task-A)").click()
    waterfall.page.get_by_role("button", name=re.compile("cancelled by: span")).click()
    waterfall.wait_for_focus("workflow cancellation")


def test_a_reload_shows_the_same(failed: Waterfall) -> None:
    failed.row("attempt flaky_api_call #2").click()
    rows = failed.texts()
    failed.page.reload()
    expect(failed.row("attempt flaky_api_call #2")).to_have_attribute("aria-selected", "true")
    assert failed.texts() == rows
    expect(failed.page.get_by_role("complementary", name="Span details")).to_be_visible()
    assert fact(failed.page, "Attempts") == "3, 3 failed"


def test_events_and_json_of_the_trace(failed: Waterfall) -> None:
    page = failed.page
    page.get_by_text("Events", exact=True).click()
    expect(page.get_by_role("cell", name="resilience.retry.scheduled")).to_have_count(2)
    page.get_by_text("JSON", exact=True).click()
    document = json.loads(page.get_by_label("OTLP JSON").text_content() or "")
    assert len(document["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 8

    link = page.get_by_role("link", name="/traces/")
    expect(link).to_have_attribute("href", re.compile("^/traces/[0-9a-f]{32}$"))


# The run


def test_cancel_says_how_far_it_is_and_that_an_ended_run_has_ended(
    visitor: Visitor, service: Service
) -> None:
    page = visitor.context.new_page()
    run = submit(service, "cancellation", durations=[300], cancel_after=300, cleanup=2)
    waterfall = open_run(page, run)
    status = page.get_by_test_id("run-status")
    expect(status).to_contain_text("running")
    expect(waterfall.row("task long_running_task (Task-A), task, running")).to_be_visible()
    page.get_by_role("button", name="Cancel run").focus()
    page.keyboard.press("Enter")
    expect(status).to_contain_text("cancelling")
    expect(waterfall.row("cleanup long_running_task, cleanup, running")).to_be_visible()
    expect(status).to_contain_text("cancelled")
    visitor.expect_problem("409")
    expect(page.get_by_role("button", name="Cancel run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").get_by_text("has ended before")).to_be_visible()


def test_run_again_starts_a_run_with_the_same_parameters(failed: Waterfall, service: Service) -> None:
    page, before = failed.page, failed.page.url
    page.get_by_role("button", name="Run again", exact=True).click()
    page.wait_for_url(lambda url: url != before and "/runs/" in url)
    first, second = (service.get(f"/runs/{url.rsplit('/', 1)[1]}").body for url in (before, page.url))
    assert first["params"] == second["params"]
    assert first["id"] != second["id"]
    failed.wait_for_end("exhausted")


def test_live_updates_leave_focus_zoom_and_open_rows_alone(visitor: Visitor, service: Service) -> None:
    run = submit(service, "sequential", tasks=1000, duration=0.1, failure_rate=0)  # more than is looked at
    waterfall = open_run(visitor.context.new_page(), run)
    page = waterfall.page
    expect(waterfall.row("task risky_task (Task 1)")).to_be_visible()
    waterfall.row("task risky_task (Task 0)").click()
    page.keyboard.press("z")
    wait_until(lambda: waterfall.bars("task risky_task (Task 0)")[0].left > 5, "zoomed")
    place = waterfall.bars("task risky_task (Task 0)")
    rows = waterfall.count()
    wait_until(lambda: waterfall.count() >= rows + 5, "more tasks have begun")
    waterfall.wait_for_focus("task risky_task (Task 0)")
    expect(waterfall.row("task risky_task (Task 0)")).to_have_attribute("aria-selected", "true")
    assert waterfall.bars("task risky_task (Task 0)") == place
    waterfall.row("workflow sequential").focus()
    page.keyboard.press("ArrowLeft")
    expect(waterfall.row("workflow sequential")).to_have_attribute("aria-expanded", "false")
    assert service.call("POST", f"/runs/{run}/cancel").answer().status == 202
    waterfall.wait_for_end("cancelled")
    assert waterfall.count() == 2


def test_a_queued_run_says_that_it_waits(visit: Visit, start_service: StartService) -> None:
    service = start_service(RETRYSCOPE_WORKER_CONCURRENCY="1", RETRYSCOPE_DRAIN_SECONDS="0")
    first = submit(service, "sequential", **LASTING)
    wait_until(lambda: service.get(f"/runs/{first}").body["state"] == "running", "the worker is busy")
    page = visit(service).open(f"/runs/{submit(service, 'sequential', **LASTING)}")
    expect(page.get_by_test_id("run-status")).to_contain_text("queued")
    expect(page.get_by_text("the run waits for a worker")).to_be_visible()


def test_an_inline_run_has_a_page(visitor: Visitor, service: Service) -> None:
    trace_id = "5" * 32
    answer = service.call("POST", "/workflows/retry", FAILING, traceparent(trace_id)).answer()
    assert answer.status == 502
    page = visitor.open(f"/runs/{trace_id}")
    page.get_by_role("link", name="workflow retry").click()
    page.wait_for_url(re.compile(f"/runs/{trace_id}-[0-9a-f]{{16}}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("retry")
    expect(page.get_by_test_id("run-status")).to_contain_text("exhausted")
    expect(page.get_by_role("button", name="Cancel run")).to_have_count(0)


@pytest.mark.parametrize(
    ("address", "says"),
    [("no-such-run", "There is no run no-such-run here"), ("6" * 32, "This process does not have the trace")],
)
def test_what_is_not_here_says_so(visitor: Visitor, address: str, says: str) -> None:
    visitor.expect_problem("404")
    expect(visitor.open(f"/runs/{address}").get_by_text(says)).to_be_visible()


@pytest.mark.parametrize("bound", ["RETRYSCOPE_MAX_TRACES", "RETRYSCOPE_MAX_SPANS"])
def test_a_run_whose_trace_made_room_for_another_says_so(
    visit: Visit, start_service: StartService, bound: str
) -> None:
    """What the engine and the summary know of it is still there; a page that was open keeps what it has."""
    service = start_service(**{bound: "1"})
    run = submit(service, "retry", **FAILING)
    visitor = visit(service)
    visitor.expect_problem("404")
    waterfall = open_run(visitor.context.new_page(), run)
    waterfall.wait_for_end("exhausted")
    page, rows = waterfall.page, waterfall.texts()
    path = f"/console/traces/{service.get(f'/runs/{run}').body['trace_id']}"
    submit(service, "sequential", tasks=1, duration=0)
    wait_until(lambda: service.get(path).status == 404, "the trace has made room")
    assert waterfall.texts() == rows

    page.reload(wait_until="domcontentloaded")
    expect(page.get_by_text("This process does not have the trace")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("retry")
    expect(page.get_by_test_id("run-status")).to_contain_text("exhausted")
    expect(waterfall.grid).to_have_count(0)
    expect(page.get_by_role("button", name="Run again", exact=True)).to_be_visible()
    wait_until(lambda: fact(page, "Attempts") == "3, 3 failed", "the summary is there")
    assert fact(page, "Lost in backoff") == "\N{EN DASH}"
    expect(page.get_by_label("Error as JSON")).to_contain_text("API temporarily unavailable")


def test_a_failure_can_still_be_read_after_more_successes_than_traces_are_kept(
    visit: Visit, start_service: StartService
) -> None:
    """Plain successes make room first; nobody has looked at it before."""
    service = start_service(RETRYSCOPE_MAX_TRACES="5")

    def end_of(run: str) -> Any:
        wait_until(lambda: service.get(f"/runs/{run}").body.get("ended_at"), f"{run} has ended")
        return service.get(f"/console/traces/{service.get(f'/runs/{run}').body['trace_id']}").status

    failed = submit(service, "retry", **FAILING)
    end_of(failed)
    plain = [submit(service, "sequential", tasks=1, duration=0, failure_rate=0) for _ in range(12)]
    assert [end_of(run) for run in plain].count(200) < len(plain)

    page = visit(service).open("/runs")
    page.get_by_role("listitem").filter(has_text="exhausted").get_by_role("link").click()
    waterfall = Waterfall(page)
    waterfall.wait_for_end("exhausted")
    expect(waterfall.row("attempt flaky_api_call #3")).to_be_visible()


def test_the_page_is_accessible(failed: Waterfall) -> None:
    """With everything open that can be opened."""
    page = failed.page
    failed.row("attempt flaky_api_call #1").click()
    for part in ("Stack trace", "Events", "JSON"):
        page.get_by_role("main").locator("summary", has_text=part).click()
    expect(page.get_by_label("OTLP JSON")).to_be_visible()
    assert inaccessible(page) == {}
    page.get_by_role("button", name="Keys of the waterfall").click()
    expect(page.get_by_role("dialog", name="Keys of the waterfall")).to_be_visible()
    assert inaccessible(page) == {}
