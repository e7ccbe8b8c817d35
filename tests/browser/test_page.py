"""The page as such: its addresses, what it loads, its content security policy, the token, both themes."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LOSES_SPANS, Visit
from tests.integration.conftest import StartService, running_service
from tests.support.browser import THEMES, Theme, Visitor, inaccessible, is_live
from tests.support.polling import wait_until
from tests.support.process import Call, Service
from tests.support.waterfall import submit

TOKEN = "a-token-of-the-tests"  # noqa: S105
TITLES = {"/": "Start", "/runs": "Runs", "/metrics": "Metrics", "/alerts": "Alerts"}
BACKGROUNDS = {"light": "rgb(246, 248, 250)", "dark": "rgb(13, 17, 23)"}


@pytest.fixture(scope="module")
def service(shared_service: Service) -> Service:
    """One for all tests here that are content with its defaults."""
    return shared_service


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
    assert "runs" in service.get("/runs").body
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


class TestTheme:
    """The system's, unless the reader chooses one."""

    def choose(self, page: Page, theme: str) -> None:
        page.get_by_role("radiogroup", name="Theme").get_by_role("radio", name=theme.capitalize()).click()

    def shows(self, page: Page, theme: Theme) -> None:
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        expect(page.locator("html")).to_have_css("background-color", BACKGROUNDS[theme])

    @pytest.mark.parametrize("theme", THEMES)
    def test_a_choice_holds_in_every_tab_and_survives_a_reload(
        self, visit: Visit, service: Service, theme: Theme
    ) -> None:
        """Whatever the system's theme is."""
        visitor = visit(service, color_scheme="dark" if theme == "light" else "light")
        first, second = visitor.open("/"), visitor.open("/runs")
        for page in (first, second):
            self.shows(page, "dark" if theme == "light" else "light")
        self.choose(first, theme)
        first.reload(wait_until="domcontentloaded")
        for page in (first, second, visitor.open("/metrics")):
            self.shows(page, theme)
            expect(page.get_by_role("radio", name=theme.capitalize())).to_be_checked()

    def test_without_a_choice_it_follows_the_system(self, visit: Visit, service: Service) -> None:
        """Also once the reader has taken a choice back."""
        page = visit(service, color_scheme="dark").open("/")
        self.shows(page, "dark")
        page.emulate_media(color_scheme="light")
        self.shows(page, "light")
        self.choose(page, "dark")
        self.shows(page, "dark")
        self.choose(page, "system")
        self.shows(page, "light")
        page.emulate_media(color_scheme="dark")
        self.shows(page, "dark")


class TestNothingYet:
    """A service that has just started."""

    @pytest.fixture(scope="class")
    @classmethod
    def service(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
        """One that nobody has asked for a run."""
        with running_service(tmp_path_factory.mktemp("service")) as service:
            yield service

    def test_the_runs(self, visitor: Visitor) -> None:
        """They say where to start one; there is no filter by the workflows that there are."""
        page = visitor.open("/runs")
        is_live(page)
        expect(page.get_by_role("radiogroup", name="Status")).to_be_visible()
        expect(page.get_by_role("radiogroup", name="Workflow")).to_have_count(0)
        assert inaccessible(page) == {}
        page.get_by_test_id("match-count").get_by_role("link", name="start one").click()
        expect(page.get_by_role("form", name="Start sequential")).to_be_visible()


class TestAccessibility:
    """The rules of WCAG 2.2 AA that can be checked by a program, in both themes, on a desk and on a phone."""

    @pytest.fixture(scope="class")
    @classmethod
    def service(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
        """A service with something on each page: its spans can't be sent to anybody, so an alert fires."""
        with running_service(tmp_path_factory.mktemp("service"), **LOSES_SPANS) as service:
            failed_run(service)
            yield service

    def test_the_runs(self, visitor: Visitor) -> None:
        page = visitor.open("/runs")
        expect(page.get_by_role("list", name="Runs", exact=True).get_by_role("listitem")).to_have_count(1)
        assert inaccessible(page) == {}

    def test_a_search_without_a_result(self, visitor: Visitor) -> None:
        page = visitor.open("/runs?q=no-such-run&status=timeout&retried=1")
        is_live(page)
        expect(page.get_by_test_id("match-count")).to_contain_text("0 runs of")
        page.get_by_role("button", name="Load older runs").click()
        expect(page.get_by_text("There are none that match.")).to_be_visible()
        assert inaccessible(page) == {}

    def test_charts_and_a_table(self, visitor: Visitor) -> None:
        page = visitor.open("/metrics")
        page.get_by_role("button", name=re.compile("^Table of ")).first.click()
        expect(page.get_by_role("table").get_by_role("rowheader").first).to_be_visible()
        expect(page.locator("canvas").first).to_be_visible()
        assert inaccessible(page) == {}

    def test_the_first_page_with_an_alert_and_an_error_in_a_form(self, visitor: Visitor) -> None:
        visitor.expect_problem("422")
        page = visitor.open("/?workflow=retry")
        form = page.get_by_role("form", name="Start retry")
        form.get_by_label("Failure rate").fill("2")
        form.get_by_role("button", name="Run retry").click()
        expect(form).to_contain_text("less than or equal to 1")
        expect(page.get_by_role("region", name="Firing alerts")).to_contain_text("TelemetryDropped")
        expect(page.locator("canvas").first).to_be_visible()
        assert inaccessible(page) == {}

    def test_the_question_for_the_token(self, visit: Visit, start_service: StartService) -> None:
        """Also after one that was refused."""
        visitor = visit(start_service(RETRYSCOPE_API_TOKEN=TOKEN))
        visitor.expect_problem("401")
        page = visitor.open("/")
        expect(page.get_by_label("Token", exact=True)).to_be_visible()
        assert inaccessible(page) == {}
        page.get_by_label("Token", exact=True).fill("not-the-token-of-it")
        page.get_by_role("button", name="Use this token").click()
        expect(page.get_by_role("dialog")).to_contain_text("did not accept")
        assert inaccessible(page) == {}
