"""What the browser tests share: the built page, a service, and visitors with a real Chromium."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import ROOT, cannot_run
from tests.integration.conftest import running_service, service, start_service
from tests.support.browser import Visitor, launch
from tests.support.polling import LIMIT
from tests.support.process import Service

Visit = Callable[..., Visitor]

LOSES_SPANS = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    "RETRYSCOPE_FLUSH_SECONDS": "0",
}
"""Of a service whose spans nobody takes, so that an alert fires."""

__all__ = ["service", "start_service"]


@pytest.fixture(scope="package", autouse=True)
def page_is_built() -> None:
    """Otherwise the tests would be about the page of some time ago."""
    command = [sys.executable, str(ROOT / "scripts" / "build_page.py")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode or not (ROOT / "web/dist/index.html").is_file():
        cannot_run(f"needs the console's page: {done.stdout}{done.stderr}")


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with its defaults, for all tests of a file: to start one costs seconds of a processor."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


# For the package only: while Playwright's synchronous API is on, no other event loop can run in this thread.
@pytest.fixture(scope="package")
def browser(system_tool: Callable[[str], Path]) -> Iterator[Browser]:
    """A Chromium, with no more patience than the other tests have."""
    chromium = system_tool("chromium")
    expect.set_options(timeout=LIMIT * 1000)
    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A visitor of a service, with options of the browser's context; a problem of theirs fails the test."""
    visitors: list[Visitor] = []

    def visit(service: Service, **options: object) -> Visitor:
        visitors.append(Visitor(browser, service, options))
        return visitors[-1]

    yield visit
    problems = [problem for visitor in visitors for problem in visitor.problems]
    for visitor in visitors:
        visitor.leave()
    assert problems == []


@pytest.fixture
def visitor(visit: Visit, service: Service) -> Visitor:
    """Someone who visits a service with its defaults."""
    return visit(service)
