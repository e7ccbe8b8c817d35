"""A visitor of the console: a real Chromium with tabs on a service, and a record of what went wrong."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, WebError, expect

from tests.support.polling import LIMIT
from tests.support.process import Service

Theme = Literal["light", "dark"]
THEMES: Sequence[Theme] = ("light", "dark")
WIDTHS = (1280, 390)
"""Of a desk and of a phone, in pixels."""

_ARGUMENTS = (
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`violates ${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`))"""
_FOCUS_IS_VISIBLE = """() => {
    const focused = document.activeElement;
    // The input of a slider is hidden in its thumb, which is marked in its place.
    const marked = focused.closest("[data-focus-visible]") ?? focused;
    const { outlineStyle, outlineWidth } = getComputedStyle(marked);
    const { top, left, bottom, right } = marked.getBoundingClientRect();
    const inSight = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
    const hasSize = right > left && bottom > top;
    return inSight && hasSize && outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
}"""
_WCAG = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"],
    },
    "resultTypes": ["violations"],  # of the others one example each: that takes half the time
}


def launch(playwright: Playwright, chromium: Path) -> Browser:
    """A browser that reaches this machine only."""
    return playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)


class Visitor:
    """Someone with tabs of their own storage on one service.

    Args:
        browser: What they use.
        service: What they visit.
        options: Of the browser's context, for example its viewport.

    Attributes:
        requests: All so far; those of a shared worker are not among them.
    """

    def __init__(self, browser: Browser, service: Service, options: Mapping[str, Any]) -> None:
        self.service = service
        self.requests: list[Request] = []
        self._problems: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self.context = browser.new_context(
            base_url=f"http://127.0.0.1:{service.port}", **{"reduced_motion": "reduce", **options}
        )
        self.context.set_default_timeout(LIMIT * 1000)
        self.context.add_init_script(_REPORT_VIOLATIONS)
        self.context.on("request", self._on_request)
        self.context.on("console", self._on_console)
        self.context.on("weberror", self._on_error)

    def open(self, path: str) -> Page:
        """A new tab; it is there when the document is, which is before the console has loaded its data."""
        page = self.context.new_page()
        page.goto(path, wait_until="domcontentloaded")
        return page

    def expect_problem(self, pattern: str) -> None:
        """Let console errors pass that the test provokes."""
        self._expected.append(re.compile(pattern))

    def leave(self) -> None:
        """Close all tabs."""
        self.context.close()

    @property
    def problems(self) -> list[str]:
        """Errors, violations of the content security policy, and requests to anything but the service."""
        return [
            each for each in self._problems if not any(pattern.search(each) for pattern in self._expected)
        ]

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)
        own = (f"http://127.0.0.1:{self.service.port}/", "data:", "blob:")
        if not request.url.startswith(own):
            self._problems.append(f"request to {request.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self._problems.append(f"console {message.type}: {message.text} ({message.location['url']})")

    def _on_error(self, error: WebError) -> None:
        self._problems.append(f"uncaught: {error.error}")


def is_live(page: Page) -> None:
    """Wait until the page has its data, and follows the service."""
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("live"))


def focus_is_visible(page: Page) -> bool:
    """Whether something has the focus, is in sight, and has an outline that says so."""
    return bool(page.evaluate(_FOCUS_IS_VISIBLE))


def inaccessible(page: Page) -> dict[str, str]:
    """What is wrong with a page by the rules of WCAG 2.2 AA, at either width and in either theme.

    That is what axe finds, and whether it has to be scrolled sideways (1.4.10); empty if nothing.
    """
    found: dict[str, str] = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 860})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            results = Axe().run(page, options=_WCAG)
            assert results.response["passes"], "axe checked nothing"
            if results.violations_count:
                found[f"{theme}, {width} px"] = results.generate_report()
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            found[f"{width} px"] = f"It is {wide} px wide."
    return found
