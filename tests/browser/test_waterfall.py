"""The waterfall: what each workflow looks like, and that its bars are where their times are."""

import os
import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visitor
from tests.support.polling import wait_until
from tests.support.process import Service, traceparent
from tests.support.waterfall import (
    PIXEL,
    Waterfall,
    assert_follow_each_other,
    assert_to_scale,
    open_run,
    place_of,
    spans,
    submit,
    time_of_cancel,
)

FAILING = {"failure_rate": 1, "max_retries": 2, "duration": 0.1, "base_delay": 0.2}
LASTING = {"tasks": 1, "duration": 300, "failure_rate": 0}

_WATCH_ROWS = """() => {
    window.changed = [];
    const isClock = node => node.matches?.('[data-running-since], [data-waiting-until]');
    new MutationObserver(found => changed.push(
        ...found.filter(each => each.type === 'attributes' || !isClock(each.target)).map(each => each.type)
    )).observe(document.querySelector('.span-rows'), { subtree: true, childList: true, attributes: true });
}"""
"""Notes whatever changes in the rows but the text of clocks: what React does when it renders them anew."""


@pytest.fixture(scope="module")
def service(shared_service: Service) -> Service:
    """One for all tests here: each looks at a run of its own."""
    return shared_service


def lane_width(waterfall: Waterfall) -> float:
    return float(waterfall.grid.locator(".span-lane").first.evaluate("lane => lane.clientWidth"))


def test_a_retry_is_one_lane_of_attempts_and_hatched_backoff_between_them(
    visitor: Visitor, service: Service
) -> None:
    run = submit(service, "retry", **FAILING)
    waterfall = open_run(visitor.context.new_page(), run)
    waterfall.wait_for_end("exhausted")

    own, *lane = waterfall.bars("retry flaky_api_call, retry, exhausted")
    assert [bar.kind for bar in lane] == ["attempt", "backoff", "attempt", "backoff", "attempt"]
    assert [bar.mark for bar in lane] == ["✕", "", "✕", "", "✕"]
    assert_follow_each_other(lane)
    assert_to_scale([own, *lane], spans(service, run), lane_width(waterfall))
    image = (
        waterfall.row("backoff flaky_api_call")
        .first.locator(".bar")
        .evaluate("bar => getComputedStyle(bar).backgroundImage")
    )
    assert "repeating-linear-gradient" in image


def test_a_lane_has_a_row_for_each_attempt_and_backoff(visitor: Visitor, service: Service) -> None:
    waterfall = open_run(visitor.context.new_page(), submit(service, "retry", **FAILING))
    waterfall.wait_for_end("exhausted")
    rows = [re.sub(r"[\d.]+ (ms|s)", "TIME", text) for text in waterfall.texts()]
    assert rows == [
        "POST /workflows/{workflow}/runs, server, ended, TIME",
        "workflow retry, workflow, exhausted, TIME, ApiUnavailableError",
        "retry flaky_api_call, retry, exhausted, TIME, ApiUnavailableError",
        "attempt flaky_api_call #1, attempt, error, TIME, ApiUnavailableError",
        "backoff flaky_api_call (TIME planned), backoff, success, TIME",
        "attempt flaky_api_call #2, attempt, error, TIME, ApiUnavailableError",
        "backoff flaky_api_call (TIME planned), backoff, success, TIME",
        "attempt flaky_api_call #3, attempt, error, TIME, ApiUnavailableError",
    ]
    lane = waterfall.bars("retry flaky_api_call")[1:]
    for bar, text in zip(lane, waterfall.texts()[3:], strict=True):
        (below,) = waterfall.bars(text)
        assert (below.span, below.left, below.right) == (bar.span, bar.left, bar.right)

    waterfall.page.get_by_role("button", name="Collapse all").click()
    assert len(waterfall.texts()) == 3
    assert len(waterfall.bars("retry flaky_api_call")) == 6
    waterfall.page.get_by_role("button", name="Expand all").click()
    assert len(waterfall.texts()) == 8


def test_sequential_tasks_follow_each_other(visitor: Visitor, service: Service) -> None:
    run = submit(service, "sequential", tasks=4, duration=0.1, failure_rate=1)
    waterfall = open_run(visitor.context.new_page(), run)
    waterfall.wait_for_end("success")
    bars = [waterfall.bars(f"task risky_task (Task {number})")[0] for number in range(4)]
    assert [bar.mark for bar in bars] == ["✕"] * 4
    assert_follow_each_other(bars)


def test_concurrent_tasks_run_side_by_side(visitor: Visitor, service: Service) -> None:
    run = submit(service, "concurrent", tasks=4, duration=0.5, failure_rate=0)
    waterfall = open_run(visitor.context.new_page(), run)
    waterfall.wait_for_end("success")
    bars = [waterfall.bars(f"task risky_task (Task {number})")[0] for number in range(4)]
    assert [bar.outcome for bar in bars] == ["success"] * 4
    assert max(bar.left for bar in bars) < min(bar.right for bar in bars)


def test_a_timeout_is_told_from_a_success(visitor: Visitor, service: Service) -> None:
    operations = [
        {"name": "Too slow", "duration": 5, "timeout": 0.1},
        {"name": "In time", "duration": 0.1, "timeout": 5},
    ]
    waterfall = open_run(visitor.context.new_page(), submit(service, "timeouts", operations=operations))
    waterfall.wait_for_end("success")
    slow = waterfall.bars("timeout _OTHER (Too slow)")[0]
    quick = waterfall.bars("timeout _OTHER (In time)")[0]
    assert (slow.outcome, slow.mark) == ("timeout", "◷")
    assert (quick.outcome, quick.mark) == ("success", "")
    assert_follow_each_other([slow, quick])


def test_a_cancel_request_is_a_line_across_all_rows_and_cleanup_begins_there(
    visitor: Visitor, service: Service
) -> None:
    run = submit(service, "cancellation", durations=[300, 300], cancel_after=0.5, cleanup=0.3)
    waterfall = open_run(visitor.context.new_page(), run)
    waterfall.wait_for_end("success")
    own, cleanup = waterfall.bars("task long_running_task (Task-A), task, cancelled")
    assert (own.mark, cleanup.kind, cleanup.outcome) == ("⊘", "cleanup", "completed")
    known = spans(service, run)
    assert_to_scale([own, cleanup], known, lane_width(waterfall))

    line = waterfall.page.locator(".cancel-line")
    expect(line).to_have_count(1)
    expect(line).to_have_text("⊘ cancel: request")
    place, grid = line.bounding_box(), waterfall.grid.bounding_box()
    lane = waterfall.grid.locator(".span-lane").first.bounding_box()
    assert place
    assert grid
    assert lane
    assert abs(place["x"] - lane["x"] - place_of(time_of_cancel(known), known, lane["width"])) <= 3 * PIXEL
    assert place["x"] - lane["x"] <= cleanup.left + 3 * PIXEL
    assert place["y"] <= grid["y"]
    assert place["y"] + place["height"] >= grid["y"] + grid["height"] - 1


def test_a_span_shows_from_its_start_and_grows_without_rendering(visitor: Visitor, service: Service) -> None:
    run = submit(service, "retry", failure_rate=1, max_retries=1, duration=0.1, base_delay=300, max_delay=300)
    waterfall = open_run(visitor.context.new_page(), run)
    expect(
        waterfall.row("backoff flaky_api_call (300 s planned), backoff, running, in progress")
    ).to_be_visible()

    def shares() -> tuple[float, float]:
        attempt, backoff = waterfall.bars("retry flaky_api_call")[1:]
        return attempt.width, backoff.width

    waterfall.page.evaluate(_WATCH_ROWS)
    attempt, backoff = shares()
    wait_until(lambda: shares()[1] > backoff + 5, "the backoff grows")
    assert shares()[0] < attempt
    clocks = waterfall.grid.locator("[data-running-since]")
    expect(clocks).to_have_count(3)
    before = clocks.first.text_content() or ""
    expect(clocks.first).not_to_have_text(before)
    assert waterfall.page.evaluate("changed") == []
    service.call("POST", f"/runs/{run}/cancel").answer()  # else the service would wait for it at its end


def test_cancelling_in_a_backoff_shows_the_line_and_ends_the_bar(visitor: Visitor, service: Service) -> None:
    run = submit(service, "retry", failure_rate=1, max_retries=1, duration=0.1, base_delay=300, max_delay=300)
    page = visitor.context.new_page()
    waterfall = open_run(page, run)
    expect(waterfall.row("backoff flaky_api_call (300 s planned), backoff, running")).to_be_visible()
    page.get_by_role("button", name="Cancel run").click()
    waterfall.wait_for_end("cancelled")
    backoff = waterfall.bars("backoff flaky_api_call (300 s planned), backoff, cancelled")[0]
    asked = float(page.locator(".cancel-line").get_attribute("data-time") or 0)
    line = page.locator(".cancel-line").bounding_box()
    lane = waterfall.grid.locator(".span-lane").first.bounding_box()
    assert line
    assert lane
    known = spans(service, run)
    (waiting,) = [span for span in known.values() if span["kind"] == "backoff"]
    assert waiting["start"] < asked <= time_of_cancel(known), (
        "the service is asked before the run hears of it"
    )
    assert abs(line["x"] - lane["x"] - place_of(asked, known, lane["width"])) <= 3 * PIXEL
    assert line["x"] - lane["x"] <= backoff.right + 3 * PIXEL
    assert line["x"] + line["width"] <= lane["x"] + lane["width"] + 0.5, "the line is cut off"
    assert backoff.mark == "⊘"


def test_ten_thousand_spans_open_and_scroll(visitor: Visitor, service: Service) -> None:
    """Only rows in sight are in the document; the last one is a key away; a banner says what is left out."""
    trace_id = os.urandom(16).hex()
    params = {"tasks": 1000, "duration": 0.1, "failure_rate": 0}
    for _ in range(6):
        answer = service.call("POST", "/workflows/concurrent", params, traceparent(trace_id)).answer()
        assert answer.status == 200
    page = visitor.context.new_page()
    waterfall = open_run(page, trace_id)
    assert waterfall.count() == 10_000
    assert waterfall.grid.get_by_role("row").count() < 100
    expect(page.get_by_role("note")).to_have_text(re.compile("^10.000 of 1[1-9].\\d{3} spans are shown"))
    waterfall.grid.get_by_role("row").first.focus()
    page.keyboard.press("End")
    last = waterfall.grid.locator("[aria-rowindex='10000']")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    page.get_by_role("searchbox", name="Find spans").fill("Task 999")
    wait_until(lambda: waterfall.count() < 100, "the search has narrowed the rows")
    expect(waterfall.row("task risky_task (Task 999)").first).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_bars_are_to_scale_at_any_width(visitor: Visitor, service: Service, width: int) -> None:
    page = visitor.context.new_page()
    page.set_viewport_size({"width": width, "height": 844})
    run = submit(service, "retry", **FAILING)
    waterfall = open_run(page, run)
    waterfall.wait_for_end("exhausted")
    known = spans(service, run)
    lane = waterfall.bars("retry flaky_api_call")[1:]
    assert_follow_each_other(lane)
    assert_to_scale(lane, known, lane_width(waterfall))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
