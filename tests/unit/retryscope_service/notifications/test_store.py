"""Which alerts are remembered, and what a notification that is late or comes twice changes: nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from retryscope_service.notifications.notification import Alert, Status
from retryscope_service.notifications.store import AlertStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def alert(start: float, end: float | None = None, fingerprint: str = "a", **annotations: str) -> Alert:
    """One that began at this minute, and if it has an end is resolved."""
    return Alert.model_validate(
        {
            "status": "firing" if end is None else "resolved",
            "labels": {"alertname": fingerprint},
            "annotations": annotations,
            "startsAt": at(start),
            "endsAt": YEAR_1 if end is None else at(end),
            "fingerprint": fingerprint,
        }
    )


class Told:
    """A store, and a minute for each notification."""

    def __init__(self, limit: int = 1000) -> None:
        self.store = AlertStore(limit)
        self.minute = 0

    def tell(self, *alerts: Alert) -> None:
        self.minute += 1
        self.store.receive(alerts, at(self.minute))

    def shown(self, status: Status | None = None) -> list[str]:
        """Each alert with its times in minutes, the newest first."""
        return [
            f"{each.fingerprint} {each.status} {minutes(each.starts_at)}-{minutes(each.ends_at)}"
            for each in self.store.latest(1000, () if status is None else {status})
        ]


def minutes(time: datetime | None) -> str:
    return "" if time is None else f"{(time - NOON).total_seconds() / 60:g}"


@pytest.fixture
def told() -> Told:
    return Told()


def test_it_fires_and_is_resolved(told: Told) -> None:
    """One occurrence, with the texts that came last."""
    told.tell(alert(0, summary="at first"))
    assert told.shown() == ["a firing 0-"]
    told.tell(alert(0, 5, summary="at last"))
    (only,) = told.store.latest(10)
    assert (only.status, only.starts_at, only.ends_at) == ("resolved", at(0), at(5))
    assert only.annotations == {"summary": "at last"}
    assert only.received_at == at(2)


def test_while_it_fires_the_latest_notification_counts(told: Told) -> None:
    """Alertmanager repeats them, with other values in the texts."""
    told.tell(alert(0, value="1"))
    told.tell(alert(0, value="2"))
    (only,) = told.store.latest(10)
    assert only.annotations == {"value": "2"}
    assert (only.received_at, only.ends_at) == (at(2), None)


def test_what_fires_again_since_the_same_time_is_the_same_occurrence(told: Told) -> None:
    """Alertmanager that had lost Prometheus took it for resolved."""
    told.tell(alert(2))
    told.tell(alert(2, 5))
    told.tell(alert(2, summary="again"))
    assert told.shown() == ["a firing 2-"]
    told.tell(alert(2, 9))
    assert told.shown() == ["a resolved 2-9"]


def test_a_firing_since_an_earlier_time_does_not_raise_what_was_resolved(told: Told) -> None:
    """It is late: it was about what had ended."""
    told.tell(alert(2, 5, summary="resolved"))
    told.tell(alert(1, summary="late"))
    (only,) = told.store.latest(10)
    assert (only.status, only.ends_at, only.received_at) == ("resolved", at(5), at(1))
    assert only.annotations == {"summary": "resolved"}


def test_a_later_start_is_another_occurrence(told: Told) -> None:
    """What was before it is history."""
    told.tell(alert(0, 5))
    told.tell(alert(7))
    assert told.shown() == ["a firing 7-", "a resolved 0-5"]
    told.tell(alert(7, 9))
    assert told.shown() == ["a resolved 7-9", "a resolved 0-5"]


def test_a_late_end_of_an_earlier_occurrence_does_not_end_the_present_one(told: Told) -> None:
    """It ended before this one began."""
    told.tell(alert(0))
    told.tell(alert(7))
    told.tell(alert(0, 5))
    assert told.shown() == ["a firing 7-", "a resolved 0-5"]


def test_an_occurrence_whose_end_was_not_delivered_has_ended_when_the_next_one_begins(told: Told) -> None:
    """Nobody knows when."""
    told.tell(alert(0))
    told.tell(alert(7))
    assert told.shown() == ["a firing 7-", "a resolved 0-"]


def test_the_end_counts_also_where_another_prometheus_saw_the_start_earlier(told: Told) -> None:
    """Of two that overlap, Alertmanager takes the earlier start."""
    told.tell(alert(3))
    told.tell(alert(1, summary="both"))
    assert told.shown() == ["a firing 3-"]
    assert told.store.latest(1)[0].annotations == {"summary": "both"}
    told.tell(alert(1, 9))
    assert told.shown() == ["a resolved 3-9"]


def test_an_end_before_its_start_is_an_end(told: Told) -> None:
    """Clocks differ."""
    told.tell(alert(3))
    told.tell(alert(3, 2))
    assert told.shown() == ["a resolved 3-2"]


def test_only_its_end_was_delivered(told: Told) -> None:
    """The service was started in between."""
    told.tell(alert(0, 5))
    assert told.shown() == ["a resolved 0-5"]


def test_alerts_do_not_disturb_one_another(told: Told) -> None:
    """Also within one notification."""
    told.tell(alert(0), alert(1, 2, "b"), alert(3, None, "c"))
    told.tell(alert(0, 4))
    assert told.shown() == ["a resolved 0-4", "c firing 3-", "b resolved 1-2"]


def test_the_one_last_heard_of_comes_first(told: Told) -> None:
    """And a limit cuts the others."""
    told.tell(alert(0), alert(0, None, "b"))
    told.tell(alert(0))
    assert told.shown() == ["a firing 0-", "b firing 0-"]
    assert [each.fingerprint for each in told.store.latest(1)] == ["a"]
    assert told.store.latest(0) == []


def test_the_two_kinds_can_be_told_apart(told: Told) -> None:
    told.tell(alert(0), alert(0, 1, "b"), alert(0, None, "c"), alert(0, 1, "d"))
    assert told.shown("firing") == ["c firing 0-", "a firing 0-"]
    assert told.shown("resolved") == ["d resolved 0-1", "b resolved 0-1"]
    assert [each.fingerprint for each in told.store.latest(1, {"resolved"})] == ["d"]


class TestBeyondTheLimit:
    def test_the_oldest_resolved_one_goes_first(self) -> None:
        """Never one that fires, however long ago it was heard of."""
        told = Told(limit=3)
        told.tell(alert(0, None, "fires"))
        for number in range(5):
            told.tell(alert(0, 1, f"over {number}"))
        assert told.shown() == ["over 4 resolved 0-1", "over 3 resolved 0-1", "fires firing 0-"]

    def test_where_all_fire_the_one_not_heard_of_for_longest_goes(self) -> None:
        """There is no end of them."""
        told = Told(limit=2)
        told.tell(alert(0), alert(0, None, "b"))
        told.tell(alert(0))
        told.tell(alert(0, None, "c"))
        assert told.shown() == ["c firing 0-", "a firing 0-"]

    def test_a_resolved_one_gives_way_to_those_that_fire_at_once(self) -> None:
        told = Told(limit=2)
        told.tell(alert(0), alert(0, None, "b"), alert(0, 1, "c"))
        assert told.shown() == ["b firing 0-", "a firing 0-"]

    def test_the_history_of_an_alert_goes_before_its_present(self) -> None:
        told = Told(limit=2)
        told.tell(alert(0, 1))
        told.tell(alert(2, 3))
        told.tell(alert(4))
        assert told.shown() == ["a firing 4-", "a resolved 2-3"]

    def test_what_is_known_of_its_present_stays(self) -> None:
        """So that a late notification still changes nothing."""
        told = Told(limit=2)
        for start in (0, 2, 4):
            told.tell(alert(start, start + 1))
        told.tell(alert(3))
        assert told.shown() == ["a resolved 4-5", "a resolved 2-3"]

    def test_what_was_forgotten_is_new_when_it_comes_again(self) -> None:
        told = Told(limit=1)
        told.tell(alert(0, 1))
        told.tell(alert(0, None, "b"))
        told.tell(alert(0, 1, "b"))
        told.tell(alert(0))
        assert told.shown() == ["a firing 0-"]
