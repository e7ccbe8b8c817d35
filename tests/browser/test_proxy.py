"""The page behind a reverse proxy, below a path: a real nginx, a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.integration.conftest import running_service
from tests.support.browser import Visitor, is_live
from tests.support.nginx import Nginx, documented_location, nginx
from tests.support.process import Call, Service

ROOT_PATH = "/retryscope"
TRUSTED = {"RETRYSCOPE_FORWARDED_ALLOW_IPS": "127.0.0.1"}
PROXIED = {
    "as documented, by X-Forwarded-Prefix": (lambda location: location, TRUSTED),
    "as documented, by the setting": (lambda location: location, {"RETRYSCOPE_ROOT_PATH": ROOT_PATH}),
    "with the path left in the request": (
        lambda location: location.replace(":8080/;", ":8080;"),
        {"RETRYSCOPE_ROOT_PATH": ROOT_PATH},
    ),
    "with the host of the upstream": (
        lambda location: "\n".join(line for line in location.splitlines() if "Host" not in line),
        {"RETRYSCOPE_ROOT_PATH": ROOT_PATH},
    ),
}
TITLES = {"Start": "/", "Runs": "/runs", "Metrics": "/metrics", "Alerts": "/alerts"}


@pytest.fixture(scope="module", params=[*PROXIED.values()], ids=[*PROXIED])
def proxied(
    request: pytest.FixtureRequest,
    system_tool: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Nginx]:
    """A service that is reached through nginx below a path."""
    change, settings = request.param
    folder = tmp_path_factory.mktemp("proxied")
    with running_service(folder / "service", **settings) as service:
        location = change(documented_location()).replace(":8080", f":{service.port}")
        assert f":{service.port}" in location
        with nginx(system_tool("nginx"), folder / "nginx", location) as proxy:
            yield proxy


@pytest.fixture
def visitor(visit: Visit, proxied: Nginx) -> Visitor:
    """Someone who knows the proxy only."""
    return visit(proxied)


def call(proxied: Nginx, method: str, path: str, body: object = None) -> Call:
    return Call(proxied.port, method, f"{ROOT_PATH}{path}", body)


def below_root(visitor: Visitor) -> None:
    """Nothing was asked for beside the path of the service."""
    asked = {urlsplit(each.url).path for each in visitor.requests if each.url.startswith("http")}
    assert [path for path in asked if not path.startswith(f"{ROOT_PATH}/")] == []


@pytest.mark.parametrize(("title", "path"), TITLES.items())
def test_each_page_opens_by_its_address(visitor: Visitor, title: str, path: str) -> None:
    """And follows the service: the files, the data and the stream of the shared worker all come through."""
    page = visitor.open(f"{ROOT_PATH}{path}")
    is_live(page)
    expect(page).to_have_title(f"{title} · Retryscope")
    expect(page.get_by_role("navigation", name="Pages").locator("[aria-current=page]")).to_have_text(title)
    below_root(visitor)


def test_the_reader_walks_through_the_pages_and_back(visitor: Visitor) -> None:
    page = visitor.open(f"{ROOT_PATH}/")
    is_live(page)
    for title, path in TITLES.items():
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=title).click()
        expect(page).to_have_title(f"{title} · Retryscope")
        assert urlsplit(page.url).path == f"{ROOT_PATH}{path}"
    page.go_back()
    expect(page).to_have_title("Metrics · Retryscope")
    page.reload()
    expect(page).to_have_title("Metrics · Retryscope")
    below_root(visitor)


def test_a_run_is_started_and_watched_and_every_link_leads_somewhere(
    visitor: Visitor, proxied: Nginx
) -> None:
    page = visitor.open(f"{ROOT_PATH}/?workflow=retry")
    is_live(page)
    page.get_by_role("form", name="Start retry").get_by_role("button", name="Run retry").click()
    expect(page.get_by_role("treegrid")).to_be_visible()
    assert urlsplit(page.url).path.startswith(f"{ROOT_PATH}/runs/")
    links = linked(page)
    page.goto(f"{ROOT_PATH}/alerts", wait_until="domcontentloaded")
    expect(page.get_by_role("link", name="Runbook of RetryStorm")).to_be_visible()
    links |= linked(page)
    assert f"{ROOT_PATH}/docs/runbook" in links
    for path in links:
        assert Call(proxied.port, "GET", path).answer().status == 200, path
    below_root(visitor)


def linked(page: Page) -> set[str]:
    hrefs = page.locator("a[href]").evaluate_all("links => links.map(link => link.href)")
    return {urlsplit(each).path for each in hrefs if urlsplit(each).netloc == urlsplit(page.url).netloc}


def test_the_documents_lead_to_each_other(visitor: Visitor) -> None:
    page = visitor.open(f"{ROOT_PATH}/docs")
    page.get_by_role("link", name="runbook").click()
    expect(page).to_have_title("Retryscope runbook")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page).to_have_title("Retryscope API")
    # Not followed: at an answer that is no page Chromium may ask for an icon, which there is not.
    document = page.get_by_role("link", name="OpenAPI 3.1").evaluate("link => link.href")
    assert document.endswith(f"{ROOT_PATH}/openapi.json")


def test_what_the_api_answers_leads_back_through_the_proxy(proxied: Nginx) -> None:
    submitted = call(proxied, "POST", "/workflows/sequential/runs", {"tasks": 1, "duration": 0}).answer()
    assert submitted.status == 202
    for address in (submitted.headers["Location"], *submitted.body["links"].values()):
        assert address.startswith(f"{ROOT_PATH}/")
    assert (
        Call(proxied.port, "GET", submitted.headers["Location"]).answer().body["id"] == submitted.body["id"]
    )
    events = Call(proxied.port, "GET", submitted.body["links"]["events"]).answer()
    assert "event: state" in events.body
    (server,) = call(proxied, "GET", "/openapi.json").answer().body["servers"]
    assert server == {"url": ROOT_PATH}
    for workflow in call(proxied, "GET", "/workflows").answer().body["workflows"]:
        assert workflow["href"] == f"{ROOT_PATH}/workflows/{workflow['name']}"
    missing = call(proxied, "GET", "/nothing").answer()
    assert missing.status == 404
    assert missing.body["instance"] == f"{ROOT_PATH}/nothing"
    assert f"{ROOT_PATH}/docs" in missing.body["detail"]
    wrong = call(proxied, "PUT", "/runs").answer()
    assert (wrong.status, wrong.body["instance"]) == (405, f"{ROOT_PATH}/runs")


def test_without_the_proxy_the_service_is_where_it_was(service: Service) -> None:
    """Nobody is believed by default."""
    headers = {
        "X-Forwarded-Prefix": "/elsewhere",
        "X-Forwarded-Host": "example.com",
        "X-Forwarded-Proto": "https",
    }
    submitted = service.call(
        "POST", "/workflows/sequential/runs", {"tasks": 1, "duration": 0}, headers
    ).answer()
    assert submitted.headers["Location"] == f"/runs/{submitted.body['id']}"
    assert service.get("/openapi.json", headers).body["servers"] == [{"url": "/"}]
    assert 'src="/assets/' in service.get("/", {**headers, "Accept": "text/html"}).body
