"""A page of another origin, in a real browser, on the same machine: it starts nothing and reads nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from tests.support.polling import wait_until
from tests.support.process import Service

ATTACKS = {
    "a fetch without CORS": "fetch(`${target}/workflows/retry/runs`, {method: 'POST', mode: 'no-cors'})",
    "an inline run": "fetch(`${target}/workflows/sequential`, {method: 'POST', mode: 'no-cors', body: '{}'})",
    "a beacon": "navigator.sendBeacon(`${target}/workflows/retry/runs`)",
    "a form": """
        const form = document.body.appendChild(document.createElement('form'));
        Object.assign(form, {method: 'POST', action: `${target}/workflows/retry/runs`, target: 'frame'});
        document.body.appendChild(Object.assign(document.createElement('iframe'), {name: 'frame'}));
        form.submit();
    """,
    "a preflight": "fetch(`${target}/console/traffic`, {method: 'PUT', body: '{}'}).catch(() => 0)",
    "a stream": "new EventSource(`${target}/console/stream`)",
    "an image": "new Image().src = `${target}/metrics`",
}


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body></body>")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def service(shared_service: Service) -> Service:
    """One for all tests here: none of them starts anything."""
    return shared_service


@pytest.fixture
def elsewhere(browser: Browser) -> Iterator[Page]:
    """A page of another port of 127.0.0.1."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        yield page
        context.close()
        server.shutdown()


def answered(service: Service, status: str) -> float:
    return service.metric("http_server_request_duration_seconds_count", http_response_status_code=status)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_page_elsewhere_is_refused(elsewhere: Page, service: Service, attack: str) -> None:
    before = answered(service, "403")
    elsewhere.evaluate(f"target => {{ {attack} }}", f"http://127.0.0.1:{service.port}")
    wait_until(lambda: answered(service, "403") > before, "the request is refused")
    assert service.get("/runs").body["runs"] == []
    assert service.get("/console/traffic").body["on"] is False
    assert service.metric("resilience_workflow_duration_seconds_count") == 0


def test_its_links_are_followed(elsewhere: Page, service: Service) -> None:
    elsewhere.evaluate("target => { location.href = target }", f"http://127.0.0.1:{service.port}/runs")
    elsewhere.wait_for_url("**/runs")
    elsewhere.get_by_role("navigation", name="Pages").wait_for()


def test_a_rebound_name_reads_nothing(browser: Browser, service: Service) -> None:
    """To the browser the page and the service are of one origin; the service is told the name."""
    answer = service.get(
        "/metrics", {"Host": f"evil.example:{service.port}", "Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status == 421
