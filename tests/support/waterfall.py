"""The waterfall of a run page as a test sees it: rows by their text, bars by their place on the screen."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from playwright.sync_api import Locator, Page, expect

from retryscope.semconv import EVENT_CANCEL_REQUESTED
from tests.support.polling import wait_until
from tests.support.process import Service

PIXEL = 2.5
"""How far two places may be apart that are the same: rounding, and the least width of a bar."""

_BARS = """row => {
    const lane = row.querySelector('.span-lane').getBoundingClientRect();
    return [...row.querySelectorAll('.bar')].map(bar => {
        const box = bar.getBoundingClientRect();
        return {
            kind: bar.dataset.kind,
            outcome: bar.dataset.outcome,
            span: bar.dataset.spanId,
            left: box.left - lane.left,
            right: box.right - lane.left,
            mark: bar.textContent,
        };
    });
}"""


@dataclass(frozen=True)
class Bar:
    """A bar; its places are pixels from the left end of its lane."""

    kind: str
    outcome: str
    span: str
    left: float
    right: float
    mark: str

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left


class Waterfall:
    """The waterfall of an open run page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.grid = page.get_by_role("treegrid", name="Spans")

    def row(self, text: str) -> Locator:
        """The row whose text begins like this (see ``rowText`` in ``src/waterfall/text.ts``)."""
        beginning = re.escape(text).replace("/", r"\/")  # a plain slash would end the pattern for Playwright
        return self.grid.get_by_role("row", name=re.compile("^" + beginning))

    def texts(self) -> list[str]:
        """The text of every row that is rendered, from top to bottom."""
        rows = self.grid.get_by_role("row")
        found: list[str] = rows.evaluate_all("rows => rows.map(row => row.getAttribute('aria-label'))")
        return found

    def count(self) -> int:
        """How many rows there are, rendered or not."""
        return int(self.grid.get_attribute("aria-rowcount") or 0)

    def bars(self, text: str) -> list[Bar]:
        """The bars in a row's lane: the span's own first, then its segments in the order of their starts."""
        return [Bar(**bar) for bar in self.row(text).evaluate(_BARS)]

    def wait_for_end(self, status: str) -> None:
        """Wait until the run has ended like this and nothing is drawn as running any more."""
        expect(self.page.get_by_test_id("run-status")).to_contain_text(status)
        expect(self.grid.locator("[data-outcome=running]")).to_have_count(0)

    def focused(self) -> str:
        """The text of what has the focus, or its tag."""
        script = "document.activeElement.getAttribute('aria-label') || document.activeElement.tagName"
        return str(self.page.evaluate(script))

    def wait_for_focus(self, text: str) -> None:
        """Wait until a row has the focus."""
        wait_until(lambda: self.focused().startswith(text), f"{text} has the focus")


def open_run(page: Page, run_id: str) -> Waterfall:
    """Open the page of a run, and wait for its first row."""
    page.goto(f"/runs/{run_id}", wait_until="domcontentloaded")
    found = Waterfall(page)
    expect(found.grid.get_by_role("row").first).to_be_visible()
    return found


def submit(service: Service, workflow: str, **params: object) -> str:
    """Start a background run; its id."""
    started = service.call("POST", f"/workflows/{workflow}/runs", params).answer()
    assert started.status == 202, started
    return str(started.body["id"])


def spans(service: Service, run_id: str) -> dict[str, Any]:
    """The spans of a run's trace by their ids, as the service tells the console."""
    trace_id = service.get(f"/runs/{run_id}").body["trace_id"]
    return {span["id"]: span for span in service.get(f"/console/traces/{trace_id}").body["spans"]}


def assert_follow_each_other(bars: list[Bar]) -> None:
    """Each begins where the one before has ended, or after it."""
    for one, other in pairwise(bars):
        assert other.left >= one.right - PIXEL, (one, other)


def assert_to_scale(bars: list[Bar], known: dict[str, Any], width: float) -> None:
    """Each is where its span was in the trace's time, which takes ``width`` pixels."""
    for bar in bars:
        start, end = (place_of(known[bar.span][edge], known, width) for edge in ("start", "end"))
        assert abs(bar.left - start) <= PIXEL, bar
        assert abs(bar.width - (end - start)) <= PIXEL, bar


def place_of(time: float, known: dict[str, Any], width: float) -> float:
    """Where a time is in the trace's time, which takes ``width`` pixels."""
    start = min(span["start"] for span in known.values())
    end = max(span["end"] for span in known.values())
    return width * float(time - start) / float(end - start)


def time_of_cancel(known: dict[str, Any]) -> float:
    """When the first cancel of a trace was asked for."""
    events = (event for span in known.values() for event in span["events"])
    return float(min(event["time"] for event in events if event["name"] == EVENT_CANCEL_REQUESTED))


def wait_for_run(service: Service, run_id: str) -> dict[str, Any]:
    """Wait until a background run has ended; its record."""
    wait_until(lambda: "ended_at" in service.get(f"/runs/{run_id}").body, f"run {run_id} has ended")
    record: dict[str, Any] = service.get(f"/runs/{run_id}").body
    return record
