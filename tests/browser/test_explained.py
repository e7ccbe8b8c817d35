"""What the page of a run explains: why it gave up, what it waits for, the cancel, what went in and out."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.integration.conftest import running_service
from tests.support.browser import Visitor, inaccessible, is_live
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.waterfall import PIXEL, Waterfall, open_run, submit, wait_for_run

_WAIT = """row => Object.fromEntries([['ghost', '.ghost'], ['bar', '.bar'], ['lane', '.span-lane']].map(
    ([name, selector]) => [name, row.querySelector(selector).getBoundingClientRect().toJSON()]
))"""
"""Read at once: the axis goes on all the time."""
_ON_BARS = """row => {
    const places = selector => [...row.querySelectorAll(selector)].map(each => each.getBoundingClientRect());
    const bars = places('.bar-attempt');
    return places('.tick').map(({ left }, index) => bars[index].left < left && left < bars[index].right + 2);
}"""
_PIXELS_OF_ERRORS = """canvas => {
    const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const { width, height } = canvas;
    Object.assign(probe.canvas, { width, height });
    probe.fillStyle = getComputedStyle(canvas).getPropertyValue('--error');
    probe.fillRect(0, 0, 1, 1);
    const wanted = probe.getImageData(0, 0, 1, 1).data.join();
    probe.clearRect(0, 0, width, height);
    probe.drawImage(canvas, 0, 0);
    const { data } = probe.getImageData(0, 0, width, height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) count += data.slice(at, at + 4).join() === wanted;
    return count;
}"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests here."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


def reason(page: Page) -> str:
    return page.get_by_test_id("run-reason").text_content() or ""


def test_a_run_that_gave_up_says_why_below_its_title(visitor: Visitor, service: Service) -> None:
    """Until its deadline there was no time for the wait before the next attempt."""
    run = submit(service, "retry", failure_rate=1, duration=0, base_delay=300, max_delay=300, deadline=100)
    wait_for_run(service, run)
    page = visitor.context.new_page()
    open_run(page, run)
    expect(page.get_by_test_id("run-reason")).to_have_text(
        "flaky_api_call gave up after 1 of 5 attempts: the deadline of 100 s was near;"
        " last error: ApiUnavailableError: API temporarily unavailable"
    )
    assert inaccessible(page) == {}


def test_a_retry_that_waits_says_for_how_long_and_shows_its_planned_end(
    visitor: Visitor, service: Service
) -> None:
    """An outline up to where the wait is to end; ticks where limits are, on an axis that reaches as far."""
    run = submit(service, "retry", failure_rate=1, duration=1, base_delay=300, max_delay=300, deadline=3600)
    page = visitor.context.new_page()
    waterfall = open_run(page, run)
    row = waterfall.row("retry flaky_api_call")
    expect(row.locator(".span-next")).to_have_text(re.compile(r"^next attempt in \d+ (min|s).*, 2 of 5$"))
    expect(page.get_by_test_id("run-reason")).to_have_text(
        re.compile(
            r"^flaky_api_call: next attempt in .*, 2 of 5, 3 remaining; last error: ApiUnavailableError: API"
        )
    )
    expect(row.locator(".ghost")).to_have_count(1)
    places = waterfall.row("backoff flaky_api_call").evaluate(_WAIT)
    assert abs(places["ghost"]["left"] - places["bar"]["left"]) <= PIXEL
    assert places["ghost"]["right"] > places["bar"]["right"] + places["lane"]["width"] / 4
    expect(row.locator(".tick")).to_have_attribute("title", re.compile(r"^deadline of 3.600 s$"))
    first = reason(page)
    wait_until(lambda: reason(page) != first, "the time that is left goes down")

    page.get_by_role("button", name="Cancel run").click()
    waterfall.wait_for_end("cancelled")
    expect(page.locator(".ghost")).to_have_count(0)
    expect(page.get_by_test_id("run-reason")).to_have_count(0)


def test_the_limit_of_each_attempt_is_a_tick_at_its_bar(visitor: Visitor, service: Service) -> None:
    """In the lane of the retry of those that reached it; in an attempt's own row of each."""
    attempts = {"duration": 300, "attempt_timeout": 0.3, "max_retries": 1, "base_delay": 0.3}
    page = visitor.context.new_page()
    waterfall = open_run(page, submit(service, "retry", **attempts))
    waterfall.wait_for_end("exhausted")
    row = waterfall.row("retry flaky_api_call")
    expect(row.locator(".tick")).to_have_count(2)
    assert row.evaluate(_ON_BARS) == [True, True]
    assert row.locator(".tick").first.get_attribute("title") == "limit of 0.3 s"
    early = {"duration": 0.1, "failure_rate": 0, "attempt_timeout": 0.3}
    waterfall = open_run(page, submit(service, "retry", **early))
    waterfall.wait_for_end("success")
    expect(waterfall.row("attempt flaky_api_call").locator(".tick")).to_have_count(1)
    expect(waterfall.row("retry flaky_api_call").locator(".tick")).to_have_count(0)


def test_the_line_of_a_cancel_is_there_while_the_cleanup_runs(visitor: Visitor, service: Service) -> None:
    """Whether the service was asked, here or elsewhere, or the workflow itself cancels its tasks."""
    asked = submit(service, "cancellation", durations=[300], cancel_after=300, cleanup=4)
    page = visitor.context.new_page()
    waterfall = open_run(page, asked)
    expect(waterfall.row("task long_running_task (Task-A), task, running")).to_be_visible()
    assert service.call("POST", f"/runs/{asked}/cancel").answer().status == 202
    line = page.locator(".cancel-line")
    expect(line).to_have_text("⊘ cancel: request")
    expect(page.get_by_test_id("run-status")).to_contain_text("cancelling")
    requested = service.get(f"/runs/{asked}").body["cancel_requested_at"]
    waterfall.wait_for_end("cancelled")
    expect(line).to_have_count(1)
    at = page.evaluate("text => Date.parse(text) / 1000", requested)
    assert abs(float(line.get_attribute("data-time") or 0) - at) < 0.1

    by_itself = submit(service, "cancellation", durations=[300], cancel_after=0.2, cleanup=4)
    waterfall = open_run(page, by_itself)
    expect(waterfall.row("cleanup long_running_task, cleanup, running")).to_be_visible()
    expect(line).to_have_text("⊘ cancel")
    waterfall.wait_for_end("success")
    expect(line).to_have_text("⊘ cancel: request")


def test_among_a_thousand_tasks_the_failures_are_seen_and_counted(visitor: Visitor, service: Service) -> None:
    """Also where hundreds of rows share a line of the minimap."""
    params = {"tasks": 1000, "failure_rate": 0.05, "seed": 3}
    run = submit(service, "concurrent", **params)
    failed = wait_for_run(service, run)["result"]["counts"]["failed"]
    page = visitor.context.new_page()
    waterfall = open_run(page, run)
    errors = page.get_by_role("radio", name="Errors")
    expect(errors).to_have_text(f"Errors {failed}")
    spans = waterfall.count()
    in_words = f"{spans:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    expect(page.get_by_test_id("span-count")).to_have_text(re.compile(rf"^Rows 1 to \d\d of {in_words}$"))
    canvas = page.locator(".minimap canvas")
    assert canvas.evaluate(_PIXELS_OF_ERRORS) >= failed
    waterfall.grid.get_by_role("row").first.focus()
    page.keyboard.press("End")
    expect(page.get_by_test_id("span-count")).to_have_text(
        re.compile(rf"^Rows .* to {in_words} of {in_words}$")
    )
    errors.click()
    expect(page.get_by_test_id("span-count")).to_have_text(
        re.compile(rf"of {failed + 3}; {in_words} spans in all$")
    )


def test_input_and_result_are_seen_and_can_be_edited_for_the_next_run(
    visitor: Visitor, service: Service
) -> None:
    """Above the waterfall, with the run's id, when it was, and the way back to the filtered list."""
    run = submit(service, "sequential", tasks=2, failure_rate=0, time_scale=0.001)
    result = wait_for_run(service, run)["result"]
    page = visitor.open("/runs?workflow=sequential&failures=none")
    is_live(page)
    page.locator(f"[data-run='{run}']").get_by_role("link").click()
    waterfall = Waterfall(page)
    expect(waterfall.row("workflow sequential")).to_be_visible()
    assert json.loads(page.get_by_label("Result as JSON").text_content() or "") == result
    expect(page.get_by_label("Parameters as JSON")).to_contain_text('"tasks": 2')
    facts = page.locator(".run-facts")
    expect(facts).to_contain_text(run)
    expect(facts).to_contain_text(re.compile(r"\d\d:\d\d:\d\d, (just now|\d+ (s|min) ago)"))

    waterfall.row("workflow sequential").click()
    details = page.get_by_role("complementary", name="Span details")
    name = details.locator("dt", has_text="retryscope.run.tasks.cancelled")
    expect(name.locator("wbr")).to_have_count(3)
    waits = details.locator("dd[title]").filter(has_text=re.compile(r"^0\.\d+$")).all_text_contents()
    assert waits
    assert all(len(wait.rstrip("0").lstrip("0.")) <= 4 for wait in waits)
    assert inaccessible(page) == {}

    page.get_by_role("link", name="← Runs").click()
    expect(page).to_have_url(re.compile(r"/runs\?workflow=sequential&failures=none$"))
    page.go_back()
    page.get_by_role("button", name="Edit and run again").click()
    form = page.get_by_role("form", name="Start sequential")
    tasks = form.get_by_label("Tasks")
    expect(tasks).to_have_value("2")
    tasks.fill("3")
    form.get_by_role("button", name="Run sequential").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    params = service.get(f"/runs/{page.url.rsplit('/', 1)[1]}").body["params"]
    assert (params["tasks"], params["time_scale"]) == (3, 0.001)


def test_the_time_range_of_the_charts_is_in_the_address(visitor: Visitor) -> None:
    page = visitor.open("/metrics?range=3h")
    expect(page.get_by_role("radio", name="3 h")).to_be_checked()
    page.get_by_role("radio", name="15 min").click()
    expect(page).to_have_url(re.compile("/metrics$"))
    page.get_by_role("radio", name="3 h").click()
    expect(page).to_have_url(re.compile("range=3h$"))
