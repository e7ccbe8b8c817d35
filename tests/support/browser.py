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

_ARGUMENTS = (
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`violates ${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`))"""
_ACCESSIBILITY = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")


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


def inaccessible(page: Page) -> dict[Theme, str]:
    """What axe finds on a page, by the rules of WCAG 2.2 AA, in either theme; empty if nothing."""
    found: dict[Theme, str] = {}
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        results = Axe().run(page, options={"runOnly": {"type": "tag", "values": list(_ACCESSIBILITY)}})
        assert results.response["passes"], "axe checked nothing"
        if results.violations_count:
            found[theme] = results.generate_report()
    return found
