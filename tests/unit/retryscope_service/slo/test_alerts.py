"""What alerts say, to Prometheus and to whoever reads the console; when they fire is in tests/contract."""

import re

import pytest

from retryscope_service.slo.alerts.alert import Alert
from retryscope_service.slo.alerts.catalogue import alerts
from tests.unit.retryscope_service.slo.helpers import definition

ALERTS = {alert.name: alert for alert in alerts(definition(operations={"o": 0.98}))}
OPERATION = {"workflow": "w", "operation": "o"}

SUMMARIES = {
    "FailureBudgetBurn": (
        {"workflow": "w"},
        "Workflow w burns its failure budget at 1 times the sustainable rate or faster.",
        "A workflow burns its failure budget at 1 times the sustainable rate or faster.",
    ),
    "OperationBudgetBurn": (
        OPERATION,
        "o (w) burns its failure budget at 1 times the sustainable rate or faster.",
        "An operation burns its failure budget at 1 times the sustainable rate or faster.",
    ),
    "Stalled": (
        {"workflow": "w"},
        "Workflow w does not finish any run.",
        "A workflow does not finish any run.",
    ),
    "ServiceDown": ({}, "The service is down.", "The service is down."),
    "OperationFailureRatioHigh": (OPERATION, "o (w) fails.", "An operation fails."),
    "TimeoutRatioHigh": (OPERATION, "o (w) times out.", "An operation times out."),
    "RetryStorm": (OPERATION, "Retries multiply o (w).", "Retries multiply an operation."),
    "ConcurrencySaturated": ({"pool": "inline"}, "Pool inline is nearly full.", "A pool is nearly full."),
    "EventLoopLagHigh": ({}, "The event loop lags.", "The event loop lags."),
    "CancellationSpike": (
        {"workflow": "w"},
        "Many runs of workflow w are cancelled.",
        "Many runs of a workflow are cancelled.",
    ),
    "TelemetryDropped": (
        {"reason": "queue_full"},
        "Spans are lost: queue_full.",
        "Spans are lost.",
    ),
}
TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")


@pytest.fixture(params=ALERTS.values(), ids=lambda alert: alert.name)
def alert(request: pytest.FixtureRequest) -> Alert:
    found: Alert = request.param
    return found


def test_the_console_says_who_is_concerned_and_what_is_wrong(alert: Alert) -> None:
    labels, concerned, nobody = SUMMARIES[alert.name]
    assert alert.summarize(labels) == concerned
    assert alert.summarize({}) == nobody


def test_a_rule_says_the_same_and_of_which_job(alert: Alert) -> None:
    """The other words are the same: without what only Prometheus knows it is the console's sentence."""
    labels, concerned, _ = SUMMARIES[alert.name]
    summary, description = alert.templates()
    assert "$labels.job" in summary
    words = re.findall(r"\w+", TEMPLATE.sub("", summary).lower())
    assert set(re.findall(r"\w+", concerned.lower())) - set(words) <= {*labels.values(), "the", "service"}
    for text in (summary, description):
        # What is left of the forms that texts are written in would be shown as it is.
        assert not set("{}[]") & set(TEMPLATE.sub("", text)), text


def test_a_rule_shows_the_value_in_the_alerts_unit(alert: Alert) -> None:
    _, description = alert.templates()
    shown = re.findall(r"\{\{ (\$value[^}]*) \}\}", description)
    if alert.name == "ServiceDown":
        assert shown == []  # there is no value that says more
    else:
        expected = {"ratio": "$value | humanizePercentage", "s": "$value | humanizeDuration"}
        assert shown in ([expected.get(alert.unit, "$value | humanize")], ["$value"])


def test_labels_are_shown_as_they_are() -> None:
    labels = {"workflow": "[{0}]", "operation": "{subject} {{ $value }}"}
    assert ALERTS["RetryStorm"].summarize(labels) == "Retries multiply {subject} {{ $value }} ([{0}])."
