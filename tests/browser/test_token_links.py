"""Links of a service that wants a token: a link carries none, so each leads to what needs none."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.integration.conftest import running_service
from tests.support.browser import Visitor, is_live
from tests.support.process import Call, Service, traceparent
from tests.support.waterfall import Waterfall

TOKEN = "a-token-of-the-tests"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}
TRACE = "8" * 32


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With a token, and with one run."""
    with running_service(tmp_path_factory.mktemp("service"), RETRYSCOPE_API_TOKEN=TOKEN) as service:
        headers = {**BEARER, **traceparent(TRACE)}
        params = {"failure_rate": 0, "time_scale": 0.01}
        assert service.call("POST", "/workflows/retry", params, headers).answer().status == 200
        yield service


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """A tab that was given the token."""
    visitor.expect_problem("401")
    page = visitor.open("/")
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.get_by_role("button", name="Use this token").click()
    is_live(page)
    return page


def linked(page: Page) -> set[str]:
    """Where the page's links to the service lead."""
    links = [
        str(each) for each in page.locator("a[href]").evaluate_all("links => links.map(link => link.href)")
    ]
    return {urlsplit(each).path for each in links if urlsplit(each).netloc == urlsplit(page.url).netloc}


def test_no_link_leads_to_a_refusal(page: Page, service: Service) -> None:
    """As it is followed in another tab, which has no token."""
    found = linked(page)
    page.goto("/alerts", wait_until="domcontentloaded")
    expect(page.get_by_role("link", name="Runbook of").first).to_be_visible()
    found |= linked(page)
    page.goto(f"/runs/{TRACE}", wait_until="domcontentloaded")
    page.get_by_text("JSON", exact=True).click()
    expect(page.get_by_role("button", name="Download the JSON")).to_be_visible()
    found |= linked(page)
    assert found >= {"/", "/runs", "/metrics", "/alerts", "/docs", "/docs/runbook"}
    for path in found:
        assert service.get(path, {"Accept": "text/html"}).status == 200, path


def test_the_json_of_a_trace_is_shown_and_downloaded(
    page: Page, visitor: Visitor, service: Service, tmp_path: Path
) -> None:
    """Asked for with the token, which is in no address."""
    page.goto(f"/runs/{TRACE}", wait_until="domcontentloaded")
    expect(Waterfall(page).row("workflow retry")).to_be_visible()
    page.get_by_text("JSON", exact=True).click()
    expect(page.get_by_label("OTLP JSON")).to_contain_text("resourceSpans")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download the JSON").click()
    download = downloading.value
    assert download.suggested_filename == f"trace-{TRACE}.json"
    download.save_as(tmp_path / "trace.json")
    document = Call(service.port, "GET", f"/traces/{TRACE}", headers=BEARER).answer().body
    assert json.loads((tmp_path / "trace.json").read_text()) == document
    assert [request.url for request in visitor.requests if TOKEN in request.url] == []


def test_open_tabs_share_the_token_and_it_goes_with_the_last(page: Page, visitor: Visitor) -> None:
    """As the dialog and the documents say: a link opened in another tab asks for nothing."""
    other = visitor.open("/runs")
    is_live(other)
    page.close()
    expect(other.get_by_role("dialog")).to_have_count(0)
    other.close()
    stranger = visitor.open("/")
    expect(stranger.get_by_role("dialog")).to_contain_text("forgotten when the last is closed")
