"""The page as such: its addresses, what it loads, its content security policy, the token, both themes."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.integration.conftest import StartService
from tests.support.browser import Visitor, inaccessible, is_live
from tests.support.polling import wait_until
from tests.support.process import Call, Service
from tests.support.waterfall import submit

TOKEN = "a-token-of-the-tests"  # noqa: S105
TITLES = {"/": "Start", "/runs": "Runs", "/metrics": "Metrics", "/alerts": "Alerts"}


def failed_run(service: Service) -> str:
    """A run with failed attempts and backoff."""
    return submit(service, "retry", failure_rate=1, time_scale=0.01)


@pytest.mark.parametrize(("path", "title"), TITLES.items())
def test_each_page_has_its_own_address(visitor: Visitor, path: str, title: str) -> None:
    page = visitor.open(path)
    is_live(page)
    expect(page).to_have_title(f"{title} · Retryscope")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages").locator("[aria-current=page]")).to_have_text(title)


def test_a_run_has_an_address_too(visitor: Visitor, service: Service) -> None:
    run = failed_run(service)
    page = visitor.open(f"/runs/{run}")
    is_live(page)
    expect(page).to_have_title(f"Run {run[:8]} · Retryscope")
    expect(page.get_by_role("treegrid")).to_be_visible()


def test_pages_are_reached_without_loading_anew(visitor: Visitor) -> None:
    page = visitor.open("/")
    is_live(page)
    for path, title in TITLES.items():
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=title).click()
        expect(page).to_have_title(f"{title} · Retryscope")
        assert page.url.endswith(path)
    documents = [request for request in visitor.requests if request.resource_type == "document"]
    assert len(documents) == 1
    page.go_back()
    expect(page).to_have_title("Metrics · Retryscope")


@pytest.mark.parametrize("path", [*TITLES, "/runs/0123456789abcdef"])
def test_no_script_runs_but_the_pages_own(service: Service, path: str) -> None:
    answer = service.get(path, {"Accept": "text/html"})
    policy = dict(
        directive.strip().split(" ", 1) for directive in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in policy["style-src"]
    assert re.findall(r"<script(?![^>]* src=)", answer.body) == []


PLANTED = {
    "a script that got in": (
        "document.body.append(Object.assign(document.createElement('script'), { textContent: '1' }))",
        "script-src",
    ),
    "an attribute with a script": ("document.body.setAttribute('onclick', '1')", "script-src-attr"),
    "a request to somebody else": ("fetch('http://example.com').catch(() => 0)", "http://example.com"),
    "an image of somebody else": ("new Image().src = 'http://example.com/x.png'", "http://example.com"),
    "an uncaught error": ("void setTimeout(() => { throw new Error('planted') })", "planted"),
    "a rejection that nobody handles": ("void Promise.reject(new Error('planted'))", "planted"),
    "an error on the console": ("console.error('planted')", "planted"),
}


@pytest.mark.parametrize(("script", "words"), PLANTED.values(), ids=PLANTED.keys())
def test_what_goes_wrong_in_a_page_does_not_go_unseen(visitor: Visitor, script: str, words: str) -> None:
    """Each test of a page also shows that nothing of this happened in it; and the policy is carried out."""
    page = visitor.open("/")
    is_live(page)
    page.evaluate(f"() => {{ {script} }}")
    wait_until(lambda: page.title() and visitor.problems, "the problem is noticed")
    assert any(words in problem for problem in visitor.problems)
    visitor.expect_problem("")


def test_curl_and_prometheus_get_the_answers_of_the_api(service: Service) -> None:
    """At the same addresses."""
    assert service.get("/runs").body["runs"] == []
    assert "resilience_" in service.get("/metrics", {"Accept": "*/*"}).body
    assert service.get("/alerts", {"Accept": "application/json"}).headers["Vary"] == "Accept"


class TestToken:
    """A service that wants a token."""

    @pytest.fixture
    def service(self, start_service: StartService) -> Service:
        return start_service(RETRYSCOPE_API_TOKEN=TOKEN)

    def enter(self, page: Page, token: str) -> None:
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Use this token").click()

    def test_it_is_asked_for_once_and_kept_out_of_addresses(self, visitor: Visitor, service: Service) -> None:
        visitor.expect_problem("401")
        page = visitor.open("/")
        self.enter(page, TOKEN)
        is_live(page)
        for path in TITLES:
            page.goto(path, wait_until="domcontentloaded")
            is_live(page)
            expect(page.get_by_role("dialog")).to_have_count(0)
        assert [request.url for request in visitor.requests if TOKEN in request.url] == []
        assert page.evaluate("Object.keys(localStorage).filter((key) => /token/i.test(key))") == []

    def test_another_one_is_refused_and_asked_for_again(self, visitor: Visitor) -> None:
        visitor.expect_problem("401")
        page = visitor.open("/")
        self.enter(page, "not-the-token-of-it")
        expect(page.get_by_role("dialog")).to_contain_text("did not accept")
        self.enter(page, TOKEN)
        is_live(page)

    def test_runs_are_started_and_followed_with_it(self, visitor: Visitor, service: Service) -> None:
        visitor.expect_problem("401")
        page = visitor.open("/?workflow=retry")
        self.enter(page, TOKEN)
        page.get_by_role("textbox", name="Time scale").fill("0.01")
        page.get_by_role("button", name="Run retry").click()
        expect(page.get_by_role("treegrid")).to_be_visible()
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        runs = Call(service.port, "GET", "/runs", headers=bearer).answer().body["runs"]
        assert [run["workflow"] for run in runs] == ["retry"]


class TestAccessibility:
    """The rules of WCAG 2.2 AA that can be checked by a program, in both themes."""

    @pytest.mark.parametrize("path", TITLES)
    def test_pages(self, visitor: Visitor, service: Service, path: str) -> None:
        failed_run(service)
        page = visitor.open(path)
        is_live(page)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert inaccessible(page) == {}

    def test_a_run(self, visitor: Visitor, service: Service) -> None:
        page = visitor.open(f"/runs/{failed_run(service)}")
        expect(page.get_by_role("treegrid")).to_be_visible()
        assert inaccessible(page) == {}

    def test_the_question_for_the_token(self, visit: Visit, start_service: StartService) -> None:
        visitor = visit(start_service(RETRYSCOPE_API_TOKEN=TOKEN))
        visitor.expect_problem("401")
        page = visitor.open("/")
        expect(page.get_by_label("Token", exact=True)).to_be_visible()
        assert inaccessible(page) == {}


@pytest.mark.parametrize("path", TITLES)
def test_a_phone_is_wide_enough(visit: Visit, service: Service, path: str) -> None:
    """At 390 px nothing has to be scrolled sideways."""
    page = visit(service, viewport={"width": 390, "height": 844}).open(path)
    is_live(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
