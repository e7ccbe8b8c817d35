"""Alerts as a terminal shows them."""

from datetime import UTC, datetime
from typing import Any

from retryscope_service.notifications.store import RememberedAlert
from retryscope_service.notifications.text import render_alerts

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def alert(**given: Any) -> RememberedAlert:
    members = {
        "status": "firing",
        "labels": {"alertname": "RetryStorm"},
        "annotations": {},
        "starts_at": NOON,
        "ends_at": None,
        "received_at": NOON,
        "fingerprint": "a",
        "generator_url": "",
    }
    return RememberedAlert(**{**members, **given})


def test_all_of_it() -> None:
    """Status, name, severity and times, then the other labels and the texts."""
    labels = {"workflow": "retry", "severity": "warning", "alertname": "RetryStorm", "job": "retryscope"}
    annotations = {
        "summary": "More than two attempts for each operation.",
        "runbook_url": "http://127.0.0.1:8080/docs/runbook#retrystorm",
    }
    firing = alert(labels=labels, annotations=annotations)
    ended = alert(status="resolved", ends_at=NOON.replace(minute=5, microsecond=999_999))
    assert render_alerts([firing, ended]) == (
        "firing    RetryStorm  warning  since 2026-01-01 12:00:00 UTC\n"
        "          job=retryscope  workflow=retry\n"
        "          runbook_url: http://127.0.0.1:8080/docs/runbook#retrystorm\n"
        "          summary: More than two attempts for each operation.\n"
        "\n"
        "resolved  RetryStorm  2026-01-01 12:00:00 UTC to 2026-01-01 12:05:00 UTC\n"
    )


def test_an_end_that_nobody_knows() -> None:
    assert "12:00:00 UTC to an unknown time\n" in render_alerts([alert(status="resolved")])


def test_an_alert_without_a_name() -> None:
    assert render_alerts([alert(labels={})]).startswith("firing    (no name)  since ")


def test_no_alerts() -> None:
    """Says so."""
    assert render_alerts([]) == "no alerts\n"


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    """Whoever may post an alert writes to the terminal of whoever reads it."""
    text = render_alerts(
        [alert(labels={"alertname": "x\x1b[2J", "a\nb": "c\r\u202ed"}, annotations={"é": "ü\n\n  \x00 ☃"})]
    )
    assert text.splitlines() == [
        "firing    x\\x1b[2J  since 2026-01-01 12:00:00 UTC",
        "          a b=c \\u202ed",
        "          é: ü \\x00 ☃",
    ]


def test_the_first_year_there_is() -> None:
    """Whatever the clock of the sender says."""
    assert "since 0001-01-01 00:00:00 UTC" in render_alerts([alert(starts_at=datetime(1, 1, 1, tzinfo=UTC))])
