"""The page of alerts: what fires stands first, and whatever stands there says why, and leads to its runs."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import LOSES_SPANS, Visit
from tests.integration.conftest import StartService, running_service
from tests.support.browser import Visitor, inaccessible, is_live
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.waterfall import submit

DASHBOARD = "http://127.0.0.1:3000/d/retryscope-workflows?var-workflow=retry"
FAILED = 3
"""Runs of `retry`; far fewer than an alert wants."""


def delivered(number: int, status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert as Alertmanager posts it."""
    return {
        "status": status,
        "labels": {"alertname": "FailureBudgetBurn", "severity": "critical", "workflow": "retry", **labels},
        "annotations": {
            "summary": "Too many runs fail.",
            "runbook_url": "/docs/runbook#failurebudgetburn",
            "dashboard_url": DASHBOARD,
        },
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2026-01-01T01:00:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:9090/graph",
        "fingerprint": f"{number:016x}",
    }


def deliver(service: Service, *alerts: dict[str, Any]) -> None:
    group = {"version": "4", "status": "firing", "receiver": "retryscope", "alerts": alerts}
    assert service.call("POST", "/alerts", group).answer().status == 204


def has_begun(service: Service) -> bool:
    """Whether the alerts were evaluated; what was counted before is no growth."""
    rules = service.get("/console/alerts").body["rules"]
    return any(rule["alert"] == "ConcurrencySaturated" and rule["value"] is not None for rule in rules)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All runs of one workflow failed, and spans are lost: nobody takes them. It knows of no Grafana."""
    with running_service(tmp_path_factory.mktemp("service"), **LOSES_SPANS) as service:
        wait_until(lambda: has_begun(service), "the alerts have something to compare with")
        # More that are resolved than one answer tells of, and heard of last: they hide nothing.
        deliver(service, delivered(0))
        deliver(service, *(delivered(number, "resolved", pod=str(number)) for number in range(1, 121)))
        for _ in range(FAILED):
            service.call("POST", "/workflows/retry", {"failure_rate": 1, "time_scale": 0.001}).answer()
        submit(service, "sequential", failure_rate=0, time_scale=0.001)
        yield service


def items(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name=name, exact=True).get_by_role("listitem")


def rule(page: Page, *texts: str) -> Locator:
    found = items(page, "Rules")
    for text in texts:
        found = found.filter(has_text=text)
    return found


def test_what_alertmanager_delivers_as_firing_stands_first(visitor: Visitor) -> None:
    """Before the rules, and however much was resolved since."""
    page = visitor.open("/alerts")
    firing = items(page, "Firing at Alertmanager")
    expect(firing).to_have_count(1)
    expect(firing).to_contain_text("Too many runs fail.")
    expect(items(page, "Resolved at Alertmanager")).to_have_count(100)
    expect(page.get_by_role("heading", level=2)).to_have_text(
        ["Firing at Alertmanager", "Rules", "History", "Resolved at Alertmanager"]
    )


def test_the_history_tells_what_has_fired_while_it_fires(visitor: Visitor) -> None:
    page = visitor.open("/alerts")
    expect(rule(page, "TelemetryDropped").first).to_contain_text("firing")
    fired = items(page, "History").filter(has_text="TelemetryDropped").first
    expect(fired).to_contain_text("firing")
    expect(fired).to_contain_text("to now")
    expect(page.get_by_text("No alert has fired")).to_have_count(0)


def test_a_rule_above_its_threshold_says_how_many_events_it_needs(visitor: Visitor) -> None:
    page = visitor.open("/alerts")
    for alert, window in (("OperationFailureRatioHigh", "5m"), ("FailureBudgetBurn", "1h")):
        above = rule(page, alert, f"window{window}")
        expect(above).to_contain_text("value100 %")
        expect(above).to_contain_text("above threshold")
        expect(above).not_to_contain_text("inactive")
        expect(above).to_contain_text(
            f"it needs at least 10 events in the last {window}, and there are {FAILED}"
        )
        expect(above).to_contain_text("workflow=retry")
    states = page.get_by_role("list", name="Rules", exact=True).locator(".alert-rule .chip").all_inner_texts()
    order = ["firing", "pending", "above threshold", "inactive"]
    places = [order.index(state.split(" ", 1)[1].strip()) for state in states]
    assert places == sorted(places)


def test_an_alert_leads_to_the_runs_that_it_is_about(visitor: Visitor) -> None:
    """A rule, what fired, what was delivered; what no run explains leads to none."""
    page = visitor.open("/alerts")
    expect(items(page, "Firing at Alertmanager").get_by_role("link", name="Failing runs of")).to_be_visible()
    expect(rule(page, "RetryStorm").get_by_role("link", name="Retried runs of")).to_have_count(1)
    for nobody in (rule(page, "TelemetryDropped").first, items(page, "History").first):
        expect(nobody).to_contain_text("TelemetryDropped")
        expect(nobody.get_by_role("link", name="runs of")).to_have_count(0)
    rule(page, "OperationFailureRatioHigh").get_by_role("link", name="Failing runs of").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    is_live(page)
    runs = page.get_by_role("list", name="Runs", exact=True).get_by_role("listitem")
    expect(runs).to_have_count(FAILED)
    expect(runs.filter(has_text="retry")).to_have_count(FAILED)


def test_a_link_to_a_dashboard_is_there_only_with_a_grafana(
    visitor: Visitor, visit: Visit, start_service: StartService
) -> None:
    """What Prometheus delivers has one in any case."""
    firing = items(visitor.open("/alerts"), "Firing at Alertmanager")
    expect(firing.get_by_role("link", name="Runbook of FailureBudgetBurn")).to_be_visible()
    expect(firing.get_by_role("link", name="Dashboard")).to_have_count(0)

    watched = start_service(RETRYSCOPE_GRAFANA_URL="http://127.0.0.1:3000")
    deliver(watched, delivered(0))
    firing = items(visit(watched).open("/alerts"), "Firing at Alertmanager")
    link = firing.get_by_role("link", name="Dashboard of FailureBudgetBurn")
    expect(link).to_have_attribute("href", DASHBOARD)


def test_it_is_accessible_with_something_in_each_list(visitor: Visitor) -> None:
    page = visitor.open("/alerts")
    expect(items(page, "History").first).to_be_visible()
    expect(items(page, "Firing at Alertmanager")).to_have_count(1)
    expect(rule(page, "above threshold").first).to_be_visible()
    rule(page, "TelemetryDropped").first.get_by_text("Description and query").click()
    assert inaccessible(page) == {}
