"""What a reader does with a run from its form to its end, and what happens meanwhile to the page."""

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Visit
from tests.support.browser import Visitor, focus_is_visible, is_live
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.waterfall import Waterfall, submit

ENDLESS = 300
"""Seconds that a run takes which a test cancels."""


@dataclass(frozen=True)
class Flow:
    """A workflow whose run waits for its cancel.

    Attributes:
        workflow: Its name.
        fields: What to enter into which field of its form, by the field's path.
        params: What the service must have got.
        running: Beginnings of rows that must appear while it runs.
        cancelled: Beginnings of rows that must be there when it was cancelled.
    """

    workflow: str
    fields: Mapping[str, str]
    params: Mapping[str, object]
    running: Sequence[str]
    cancelled: Sequence[str]


FLOWS = [
    Flow(
        "sequential",
        {"tasks": "3", "duration": "300", "failure_rate": "0"},
        {"tasks": 3, "duration": 300, "failure_rate": 0},
        ["task risky_task (Task 0), task, running"],
        ["task risky_task (Task 0), task, cancelled"],
    ),
    Flow(
        "concurrent",
        {"tasks": "2", "duration": "300", "failure_rate": "0"},
        {"tasks": 2, "duration": 300},
        ["task risky_task (Task 0), task, running", "task risky_task (Task 1), task, running"],
        ["task risky_task (Task 0), task, cancelled", "task risky_task (Task 1), task, cancelled"],
    ),
    Flow(
        "retry",
        {
            "duration": "0.1",
            "failure_rate": "1",
            "max_retries": "2",
            "base_delay": "0.5",
            "backoff_factor": "100",
            "max_delay": "300",
        },
        {"max_retries": 2, "base_delay": 0.5, "backoff_factor": 100},
        [
            "attempt flaky_api_call #1, attempt, error",
            "backoff flaky_api_call (0.5 s planned), backoff, success",
            "attempt flaky_api_call #2, attempt, error",
            "backoff flaky_api_call (50 s planned), backoff, running",
        ],
        ["backoff flaky_api_call (50 s planned), backoff, cancelled"],
    ),
    Flow(
        "timeouts",
        {"operations.0.name": "Mine", "operations.0.duration": "300", "operations.0.timeout": "200"},
        {},
        ["timeout _OTHER (Mine), timeout, running"],
        ["timeout _OTHER (Mine), timeout, cancelled"],
    ),
    Flow(
        "cancellation",
        {
            "durations.0": "300",
            "durations.1": "300",
            "durations.2": "300",
            "cancel_after": "200",
            "cleanup": "0.3",
        },
        {"durations": [300, 300, 300], "cancel_after": 200, "cleanup": 0.3},
        [f"task long_running_task (Task-{each}), task, running" for each in "ABC"],
        [f"task long_running_task (Task-{each}), task, cancelled" for each in "ABC"],
    ),
]


def start(page: Page, workflow: str, fields: Mapping[str, str]) -> Waterfall:
    """Start a run from its form; its page opens by itself."""
    page.get_by_role("tab", name=workflow.capitalize()).click()
    form = page.get_by_role("form", name=f"Start {workflow}")
    for path, value in fields.items():
        form.locator(f"[name='{path}']").fill(value)
    form.get_by_role("button", name=f"Run {workflow}").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{32,}$"))
    return Waterfall(page)


def run_of(page: Page) -> str:
    """The id of the run whose page is open."""
    return page.url.rsplit("/", 1)[1]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.workflow)
def test_a_run_from_the_form_to_its_cancel(visitor: Visitor, service: Service, flow: Flow) -> None:
    """Its spans appear while it runs; a cancel ends them; a second tab follows; a reload shows the same."""
    page = visitor.open("/")
    waterfall = start(page, flow.workflow, flow.fields)
    params = service.get(f"/runs/{run_of(page)}").body["params"]
    assert {name: params[name] for name in flow.params} == flow.params
    for row in flow.running:
        expect(waterfall.row(row)).to_be_visible()
    expect(page.get_by_test_id("run-status")).to_contain_text("running")

    second = Waterfall(visitor.open(f"/runs/{run_of(page)}"))
    for row in flow.running:
        expect(second.row(row)).to_be_visible()

    page.get_by_role("button", name="Cancel run").click()
    for each in (waterfall, second):
        each.wait_for_end("cancelled")
        for row in flow.cancelled:
            expect(each.row(row)).to_be_visible()
        expect(each.page.locator(".cancel-line")).to_have_text("⊘ cancel: request")
    if flow.workflow == "cancellation":
        cleanups = waterfall.row("cleanup long_running_task, cleanup, completed")
        expect(cleanups).to_have_count(3)

    shown = waterfall.texts()
    page.reload(wait_until="domcontentloaded")
    waterfall.wait_for_end("cancelled")
    wait_until(lambda: waterfall.texts() == shown, f"it shows the same as before: {shown}")


def test_the_form_says_what_is_wrong_where_it_is_wrong(visitor: Visitor, service: Service) -> None:
    """In the words of the service."""
    visitor.expect_problem("422")
    page = visitor.open("/?workflow=retry")
    form = page.get_by_role("form", name="Start retry")
    form.get_by_label("Failure rate").fill("2")
    form.get_by_role("button", name="Run retry").click()
    field = form.get_by_label("Failure rate")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(form).to_contain_text("less than or equal to 1")
    assert service.get("/runs").body["runs"] == []


def test_the_first_page_lists_a_run_while_it_runs_and_when_it_has_ended(
    visitor: Visitor, service: Service
) -> None:
    page = visitor.open("/")
    is_live(page)
    run = submit(service, "sequential", tasks=1, duration=ENDLESS, failure_rate=0)
    in_flight, latest = (page.get_by_role("list", name=name) for name in ("Runs in flight", "Latest runs"))
    row = in_flight.get_by_role("listitem").filter(has_text=run[:8])
    expect(row).to_contain_text("running")
    row.get_by_role("button", name="Cancel").click()
    expect(latest.get_by_role("listitem").filter(has_text=run[:8])).to_contain_text("cancelled")
    expect(row).to_contain_text("cancelled")  # rows stay while the reader is among them
    page.get_by_role("heading", level=1).click()
    expect(row).to_have_count(0)


def test_by_keyboard_only(visitor: Visitor, service: Service) -> None:
    """Start, find the failed attempt, read its error, cancel; and see at each step where one is."""
    page = visitor.open("/")
    is_live(page)
    retry = page.get_by_role("tab", name="Retry")
    expect(retry).to_be_visible()
    tab_to(page, page.get_by_role("tab", selected=True))
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")  # before the last, checkout
    expect(retry).to_be_focused()
    for label, value in {"Failure rate": "1", "Max retries": "1", "Base delay": "50"}.items():
        tab_to(page, page.get_by_role("textbox", name=label, exact=True))
        page.keyboard.press("Control+a")
        page.keyboard.type(value)
    page.keyboard.press("Enter")

    waterfall = Waterfall(page)
    expect(waterfall.row("backoff flaky_api_call (50 s planned), backoff, running")).to_be_visible()
    params = service.get(f"/runs/{run_of(page)}").body["params"]
    assert (params["failure_rate"], params["max_retries"], params["base_delay"]) == (1, 1, 50)
    expect(page.get_by_role("main")).to_be_focused()
    assert focus_is_visible(page)
    page.keyboard.press("e")
    waterfall.wait_for_focus("attempt flaky_api_call #1, attempt, error")
    assert focus_is_visible(page)
    page.keyboard.press("Enter")
    details = page.get_by_role("complementary", name="Span details")
    expect(details.get_by_role("heading", name="attempt flaky_api_call #1")).to_be_focused()
    assert focus_is_visible(page)
    expect(details).to_contain_text("API temporarily unavailable")
    page.keyboard.press("Escape")
    waterfall.wait_for_focus("attempt flaky_api_call #1")
    assert focus_is_visible(page)

    cancel = page.get_by_role("button", name="Cancel run")
    tab_to(page, cancel, "Shift+Tab")
    page.keyboard.press("Enter")
    waterfall.wait_for_end("cancelled")
    expect(page.get_by_test_id("live-region")).to_contain_text("cancelled")
    expect(cancel).to_be_focused()
    assert focus_is_visible(page)


@pytest.mark.parametrize("path", ["/", "/runs/{}"])
def test_a_cancel_that_comes_too_late_says_so(visitor: Visitor, service: Service, path: str) -> None:
    """Somebody else was quicker, while the request was on its way."""
    run = submit(service, "sequential", tasks=1, duration=ENDLESS, failure_rate=0)
    page = visitor.open(path.format(run))
    visitor.expect_problem("409")

    def end_the_run_first(route: Route) -> None:
        assert service.call("POST", f"/runs/{run}/cancel").answer().status == 202
        wait_until(lambda: service.get(f"/runs/{run}").body["state"] == "cancelled", "the run has ended")
        route.continue_()

    page.route("**/runs/*/cancel", end_the_run_first)
    place = page.get_by_role("main") if path != "/" else page.get_by_role("list", name="Runs in flight")
    place.get_by_role("button", name=re.compile("^Cancel ")).click()
    expect(place.get_by_role("alert").filter(has_text="has ended before")).to_be_visible()
    expect(place).to_contain_text("cancelled")


def test_ten_tabs_follow_at_once(visitor: Visitor, service: Service) -> None:
    """A browser has six connections to a host: with a stream for each tab, the seventh would never load."""
    pages = [visitor.open("/") for _ in range(10)]
    for page in pages:
        is_live(page)
    run = submit(service, "sequential", tasks=1, duration=ENDLESS, failure_rate=0)
    for page in pages:
        expect(page.get_by_role("list", name="Runs in flight")).to_contain_text(run[:8])
    waterfall = Waterfall(visitor.open(f"/runs/{run}"))
    expect(waterfall.row("task risky_task (Task 0), task, running")).to_be_visible()
    assert service.call("POST", f"/runs/{run}/cancel").answer().status == 202
    for page in pages:
        expect(page.get_by_role("list", name="Latest runs")).to_contain_text(run[:8])


def test_after_a_restart_of_the_service_the_page_recovers_by_itself(visit: Visit, tmp_path: Path) -> None:
    """What the old process knew is gone; what the new one does is shown."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    first = Service(tmp_path / "first", "serve", "--port", port)
    second = None
    try:
        first.wait_until_ready()
        visitor = visit(first)
        visitor.expect_problem("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
        page = visitor.open("/")
        latest = page.get_by_role("list", name="Latest runs")
        old = submit(first, "retry", failure_rate=0, duration=0)
        expect(latest).to_contain_text(old[:8])

        first.stop()
        expect(page.get_by_test_id("connection")).to_have_text(re.compile("lost"))
        second = Service(tmp_path / "second", "serve", "--port", port)
        second.wait_until_ready()
        is_live(page)
        expect(page.get_by_text(old[:8])).to_have_count(0)
        new = submit(second, "retry", failure_rate=0, duration=0)
        expect(latest).to_contain_text(new[:8])
        second.stop()
    finally:
        for service in filter(None, (first, second)):
            service.kill()


@pytest.mark.parametrize(("path", "part"), [("/", "ChartFigure"), ("/runs/{}", "RunPage")])
def test_a_part_of_the_page_that_could_not_be_loaded_is_loaded_later(
    visitor: Visitor, service: Service, path: str, part: str
) -> None:
    """The service was away at that moment; a page without it must not be all that is left."""
    visitor.expect_problem("ERR_FAILED")
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        if failed:
            route.continue_()
        else:
            failed.append(route.request.url)
            route.abort()

    visitor.context.route(re.compile(rf"/assets/{part}-"), fail_once)
    page = visitor.open(path.format(submit(service, "retry", failure_rate=0, duration=0)))
    expect(page.locator("canvas, [role=treegrid]").first).to_be_visible()
    assert failed
    is_live(page)


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press a key until something has the focus, as a reader would who sees where; but not for ever."""
    for _ in range(100):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
        assert focus_is_visible(page), page.evaluate("document.activeElement.outerHTML")
    pytest.fail(f"{wanted} was not reached")
