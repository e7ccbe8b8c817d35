"""What a user or an upstream names is shown as the text that it is; the policy is the second line."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.integration.conftest import running_service
from tests.support.browser import Visitor, is_live
from tests.support.process import Service, traceparent
from tests.support.waterfall import Waterfall, submit

MARKUP = '"\'><img src=x onerror="taken=1"><script>taken=1</script>'
QUOTED = quote(MARKUP, safe="")
"""For an address."""
SCRIPT = "javascript:taken=1"

UPSTREAM = f"""
from opentelemetry import trace
from retryscope_service.workflows import retry

MARKUP = {MARKUP!r}
NAMES = [f"resilience.{{name}}" for name in ("operation", "task.name", "outcome", "cancel.cause")]

async def flaky_api_call(*_):
    here = trace.get_current_span().get_span_context()
    elsewhere = trace.SpanContext(1, 2, is_remote=True)
    links = [trace.Link(each, {{"resilience.link.kind": MARKUP}}) for each in (here, elsewhere)]
    attributes = dict.fromkeys([*NAMES, MARKUP], MARKUP)
    with trace.get_tracer(MARKUP).start_as_current_span(MARKUP, attributes=attributes, links=links) as span:
        span.add_event(MARKUP, {{MARKUP: MARKUP}})
        span.add_event("resilience.cancel.requested", {{"resilience.cancel.cause": MARKUP}})
        raise type(MARKUP, (ValueError,), {{}})(MARKUP)

retry.flaky_api_call = flaky_api_call
"""
"""What `retry` calls, in place of its simulation: each text that code under a span can choose is markup."""


@dataclass(frozen=True)
class Sent:
    """A request with markup in it.

    Attributes:
        path: What is asked for.
        params: The parameters.
        headers: The headers.
        row: Beginning of the row whose details show it; None if only the JSON does.
        text: The markup, as it is shown.
    """

    path: str = "/workflows/sequential/runs"
    params: Mapping[str, object] = field(default_factory=lambda: {"tasks": 1, "duration": 0})
    headers: Mapping[str, str] = field(default_factory=dict)
    row: str | None = "POST "
    text: str = MARKUP


SENT = {
    "the name of an operation, and an error with it": Sent(
        "/workflows/timeouts/runs",
        {"operations": [{"name": MARKUP, "duration": 1, "timeout": 0.01}]},
        row=f"timeout _OTHER ({MARKUP}), timeout, timeout",
        text=f"{MARKUP} timed out after 0.01 s",
    ),
    "the path": Sent(f"/workflows/{QUOTED}/runs"),
    "User-Agent": Sent(headers={"User-Agent": MARKUP}),
    "Host": Sent(headers={"Host": MARKUP}),
    "tracestate": Sent(
        headers={**traceparent("7" * 32), "tracestate": "a=<script>taken()</script>"},
        row=None,
        text="<script>taken()</script>",
    ),
}

ADDRESSES: Mapping[str, tuple[str, Callable[[Page], None]]] = {
    "the id of a run": (
        f"/runs/{QUOTED}",
        lambda page: expect(page.locator("code", has_text=MARKUP)).to_have_count(2),  # a note and a fact
    ),
    "a search": (
        f"/runs?q={QUOTED}",
        lambda page: expect(page.get_by_label("Search")).to_have_value(MARKUP),
    ),
    "filters": (
        f"/runs?workflow={QUOTED}&status={QUOTED}",
        lambda page: expect(
            page.get_by_role("radiogroup", name="Workflow").get_by_role("radio", name=MARKUP)
        ).to_be_checked(),
    ),
    "parameters": (
        f"/?workflow=retry&params={quote(json.dumps({'seed': MARKUP}))}#{QUOTED}",
        lambda page: expect(page.get_by_role("textbox", name="Seed")).to_have_value(MARKUP),
    ),
    "a workflow, which is not shown": (
        f"/?workflow={QUOTED}",
        lambda page: expect(page.get_by_role("form", name="Start sequential")).to_be_visible(),
    ),
}
"""With where each shows what is in it."""


def as_json(text: str) -> str:
    """The text, as JSON has it between its quotes."""
    return json.dumps(text)[1:-1]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose upstream is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "sitecustomize.py").write_text(UPSTREAM)
    with running_service(folder, PYTHONPATH=str(folder)) as service:
        yield service


def is_harmless(page: Page) -> None:
    expect(page.locator("img, iframe, script:not([src]), [onerror]")).to_have_count(0)
    assert page.evaluate("'taken' in window") is False
    schemes = page.locator("a[href]").evaluate_all("links => links.map(link => link.protocol)")
    assert set(schemes) <= {"http:", "https:"}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT.keys())
def test_in_a_request(visitor: Visitor, service: Service, sent: Sent) -> None:
    answer = service.call("POST", sent.path, sent.params, sent.headers).answer()
    page = visitor.open(f"/runs/{answer.headers['X-Trace-Id']}")
    if sent.row is not None:
        Waterfall(page).row(sent.row).click()
        expect(page.get_by_role("complementary", name="Span details")).to_contain_text(sent.text)
    page.get_by_text("JSON", exact=True).click()
    expect(page.get_by_label("OTLP JSON")).to_contain_text(as_json(sent.text))
    is_harmless(page)


def test_in_what_an_upstream_says(visitor: Visitor, service: Service) -> None:
    """An exception's type, message and stack; a span's name, attributes, events, links; a cause."""
    page = visitor.open(f"/runs/{submit(service, 'retry', max_retries=0)}?span={QUOTED}")
    waterfall = Waterfall(page)
    waterfall.wait_for_end("exhausted")
    expect(page.locator(".cancel-line")).to_have_text(f"⊘ cancel: {MARKUP}")
    attempt = waterfall.row("attempt flaky_api_call #1")
    expect(attempt).to_contain_text(MARKUP)
    attempt.click()
    details = page.get_by_role("complementary", name="Span details")
    expect(details).to_contain_text(f"{MARKUP}: {MARKUP}")
    details.get_by_text("Stack trace").click()
    expect(details.get_by_label("Stack trace")).to_contain_text(f"{MARKUP}: {MARKUP}")

    waterfall.row(MARKUP).click()
    expect(details.get_by_role("heading", level=2)).to_have_text(MARKUP)
    expect(details.get_by_text(f"cancelled by {MARKUP}")).to_be_visible()
    for tag in ("dt", "dd", "ol li", "ul button", "ul a"):
        expect(details.locator(tag).filter(has_text=MARKUP).first).to_be_visible()
    for part in ("Events", "JSON"):
        page.get_by_role("main").locator("summary", has_text=part).click()
    expect(page.get_by_label("Result as JSON")).to_contain_text(as_json(MARKUP))
    expect(page.get_by_role("region", name="Events of the trace")).to_contain_text(f"{MARKUP}: {MARKUP}")
    expect(page.get_by_label("OTLP JSON")).to_contain_text(as_json(MARKUP))
    is_harmless(page)


def test_in_what_the_service_refuses(visitor: Visitor) -> None:
    """It says what it has got."""
    visitor.expect_problem("422")
    page = visitor.open("/?workflow=retry")
    for name, label, button in (
        ("Start retry", "Seed", "Run retry"),
        ("Traffic", "Runs per second", "Switch on"),
    ):
        form = page.get_by_role("form", name=name)
        form.get_by_label(label).fill(MARKUP)
        form.get_by_role("button", name=button).click()
        expect(form).to_contain_text(as_json(MARKUP))
    is_harmless(page)


def test_in_a_notification(visitor: Visitor, service: Service) -> None:
    """Each text of it, and each address."""
    alert = {
        "status": "firing",
        "labels": {"alertname": MARKUP, "severity": MARKUP, MARKUP: MARKUP},
        "annotations": {"summary": MARKUP, "runbook_url": SCRIPT, MARKUP: SCRIPT},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": SCRIPT,
        "fingerprint": MARKUP,
    }
    notification = {
        "version": "4",
        "groupKey": MARKUP,
        "status": "firing",
        "receiver": MARKUP,
        "groupLabels": {MARKUP: MARKUP},
        "commonLabels": {MARKUP: MARKUP},
        "commonAnnotations": {MARKUP: MARKUP},
        "externalURL": SCRIPT,
        "alerts": [alert],
    }
    assert service.call("POST", "/alerts", notification).answer().status == 204
    page = visitor.open("/alerts")
    delivered = page.get_by_role("list", name="Firing at Alertmanager").get_by_role("listitem")
    expect(delivered.get_by_role("strong")).to_have_text(MARKUP)
    expect(delivered).to_contain_text(f"{MARKUP} · {MARKUP}={MARKUP}")
    expect(delivered.locator(".alert-summary")).to_have_text(MARKUP)
    is_harmless(page)


@pytest.mark.parametrize(("address", "shows"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_in_the_address(visitor: Visitor, address: str, shows: Callable[[Page], None]) -> None:
    visitor.expect_problem("404")
    page = visitor.open(address)
    is_live(page)
    shows(page)
    is_harmless(page)
