"""``/alerts``: Alertmanager's webhook, and what it has delivered."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from retryscope_service.notifications.notification import (
    MAX_ALERT_TEXT,
    MAX_ALERTS,
    MAX_LABELS,
    MAX_TEXT,
    read_alert,
)
from retryscope_service.notifications.store import AlertStore
from tests.unit.retryscope_service.helpers import Answer, Api

START, END, YEAR_1 = "2026-01-01T12:00:00.123456789Z", "2026-01-01T12:05:00Z", "0001-01-01T00:00:00Z"


def alert(**given: Any) -> dict[str, Any]:
    """One alert as Alertmanager sends it."""
    status = given.get("status", "firing")
    return {
        "status": status,
        "labels": {"alertname": "RetryStorm", "workflow": "retry"},
        "annotations": {"summary": "More than two attempts for each operation."},
        "startsAt": START,
        "endsAt": YEAR_1 if status == "firing" else END,
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up",
        "fingerprint": "c5b4b1b5f3a0a3d1",
        **given,
    }


def notification(*alerts: Any, **given: Any) -> dict[str, Any]:
    """What Alertmanager posts, with all members of version 4."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="RetryStorm"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "retryscope",
        "groupLabels": {"alertname": "RetryStorm"},
        "commonLabels": {"alertname": "RetryStorm"},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
        "alerts": list(alerts),
        **given,
    }


async def post(api: Api, *alerts: Any, **given: Any) -> Answer:
    return await api.call("POST", "/alerts", notification(*alerts, **given))


async def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    alerts: list[dict[str, Any]] = (await api.get(f"/alerts{query}")).json()["alerts"]
    return alerts


def error_of(answer: Answer) -> dict[str, Any]:
    """What is said of the only wrong value."""
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert error["message"] in answer.json()["detail"]
    found: dict[str, Any] = error
    return found


async def test_nothing_was_delivered_yet(api: Api) -> None:
    assert (await api.get("/alerts")).json() == {"alerts": []}
    assert (await api.get("/alerts?format=text")).text == "no alerts\n"


async def test_what_is_posted_can_be_read(api: Api) -> None:
    """Links pass through as they are; times are UTC."""
    links = {"runbook_url": "http://127.0.0.1:8080/docs/runbook#retrystorm", "x": '<a href="javascript:1">'}
    answer = await post(api, alert(annotations=links, startsAt="2026-01-01T13:00:00+01:00"))
    assert (answer.status, answer.body) == (204, b"")
    (found,) = await listed(api)
    received = found.pop("received_at")
    assert received.endswith("Z")
    assert found == {
        "status": "firing",
        "labels": {"alertname": "RetryStorm", "workflow": "retry"},
        "annotations": links,
        "starts_at": "2026-01-01T12:00:00Z",
        "ends_at": None,
        "fingerprint": "c5b4b1b5f3a0a3d1",
        "generator_url": "http://127.0.0.1:9090/graph?g0.expr=up",
        "cut": False,
    }


async def test_an_alert_is_resolved(api: Api) -> None:
    """And shown with its end."""
    for status in ("firing", "resolved"):
        await post(api, alert(status=status), status=status)
    (found,) = await listed(api)
    assert (found["status"], found["ends_at"]) == ("resolved", "2026-01-01T12:05:00Z")


async def test_the_newest_comes_first_and_a_status_can_be_asked_for(api: Api) -> None:
    """Up to a limit; also as text."""
    await post(api, *(alert(fingerprint=name, labels={"alertname": name}) for name in "abc"))
    await post(api, alert(fingerprint="b", status="resolved", labels={"alertname": "b"}))
    assert [each["fingerprint"] for each in await listed(api)] == ["b", "c", "a"]
    assert [each["fingerprint"] for each in await listed(api, "?status=firing")] == ["c", "a"]
    assert [each["fingerprint"] for each in await listed(api, "?status=resolved")] == ["b"]
    assert [each["fingerprint"] for each in await listed(api, "?status=firing&limit=1")] == ["c"]
    assert len(await listed(api, "?status=firing&status=resolved")) == 3
    answer = await api.get("/alerts?format=text&status=firing&limit=1")
    assert answer.content_type == "text/plain"
    assert answer.text.startswith("firing    c  since 2026-01-01 12:00:00 UTC\n")
    assert "resolved" not in answer.text


@pytest.mark.parametrize(
    ("name", "value", "bound"),
    [
        ("status", "Firing", "one of firing, resolved"),
        ("status", "", "one of firing, resolved"),
        ("state", "firing", "one of format, limit, status"),
        ("format", "xml", "json or text"),
        ("limit", "0", "a whole number from 1 to 100"),
        ("limit", "101", "a whole number from 1 to 100"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Api, name: str, value: str, bound: str) -> None:
    error = error_of(await api.get(f"/alerts?{name}={value}"))
    assert (error["field"], error["value"], error["bound"]) == (name, value, bound)


async def test_members_that_nobody_knows_are_let_through(api: Api) -> None:
    """A later Alertmanager may send more; what is missing and not needed is not asked for."""
    given = {"junk": [[{"a": None}]], "labels": {}, "silencedBy": ["x"], "notificationReason": 7}
    assert (await post(api, alert(**given), another={"a": [1e400]})).status == 204
    least = {"version": "4", "status": "firing", "receiver": "", "alerts": []}
    assert (await api.call("POST", "/alerts", least)).status == 204
    (found,) = await listed(api)
    assert "junk" not in found


@pytest.mark.parametrize("name", ["version", "status", "receiver", "alerts"])
async def test_a_member_that_is_needed_is_missed(api: Api, name: str) -> None:
    body = notification()
    del body[name]
    answer = await api.call("POST", "/alerts", body)
    assert error_of(answer) == {"field": name, "message": f"{name} is missing."}


@pytest.mark.parametrize("name", ["status", "labels", "startsAt", "endsAt", "fingerprint"])
async def test_a_member_of_an_alert_that_is_needed_is_missed(api: Api, name: str) -> None:
    wrong = alert()
    del wrong[name]
    error = error_of(await post(api, wrong))
    assert error == {"field": f"alerts.0.{name}", "message": f"alerts.0.{name} is missing."}
    assert await listed(api) == []
    await others_are_taken(api, wrong)


TIME = "date and time with a time zone"


@pytest.mark.parametrize(
    ("given", "field", "bound"),
    [
        ({"status": "pending"}, "status", "'firing' or 'resolved'"),
        ({"labels": []}, "labels", "object"),
        ({"labels": {"a": 1}}, "labels.a", "text"),
        ({"labels": {"a": None}}, "labels.a", "text"),
        ({"labels": {"a": {"b": "c"}}}, "labels.a", "text"),
        ({"annotations": {"a": ["b"]}}, "annotations.a", "text"),
        ({"annotations": None}, "annotations", "object"),
        ({"fingerprint": ""}, "fingerprint", "at least 1 long"),
        ({"fingerprint": "x" * 65}, "fingerprint", "at most 64 long"),
        ({"fingerprint": 7}, "fingerprint", "text"),
        ({"startsAt": "yesterday"}, "startsAt", TIME),
        ({"startsAt": "2026-01-01"}, "startsAt", TIME),
        ({"startsAt": "2026-01-01T12:00:00"}, "startsAt", TIME),
        ({"startsAt": 1_767_268_800}, "startsAt", TIME),
        ({"startsAt": None}, "startsAt", TIME),
        ({"endsAt": ""}, "endsAt", TIME),
    ],
)
async def test_a_wrong_member_of_an_alert_is_named(
    api: Api, given: dict[str, Any], field: str, bound: str
) -> None:
    """With its place and its bound; it costs no other alert of its group."""
    error = error_of(await post(api, alert(**given)))
    assert error["field"] == f"alerts.0.{field}".removesuffix(".")
    assert error["bound"] == bound
    assert await listed(api) == []
    await others_are_taken(api, alert(**given))


async def others_are_taken(api: Api, wrong: object) -> None:
    """Alertmanager would not repeat a group that is refused."""
    with api.recorded.changes() as changes:
        answer = await post(api, alert(fingerprint="a"), wrong, alert(fingerprint="b"))
    assert answer.status == 204
    assert [each["fingerprint"] for each in await listed(api)] == ["b", "a"]
    assert impaired(changes) == {"refused": 1}


def impaired(changes: Mapping[str, float]) -> dict[str, float]:
    """Alerts that did not arrive whole, by what became of them."""
    name = "retryscope_alerts_impaired_total"
    return {series.split('"')[1]: value for series, value in changes.items() if series.startswith(name)}


LONG = "x" * 50_000


@pytest.mark.parametrize(
    "given",
    [
        {"annotations": {"summary": "x" * (MAX_TEXT + 1)}},
        {"annotations": {"summary": LONG, "description": LONG}},
        {"annotations": {"x" * (MAX_TEXT + 1): ""}},
        {"labels": {"a": LONG, "alertname": "RetryStorm", "b": LONG, "c": LONG}},
        {"labels": {**{f"{n:03}": "" for n in range(MAX_LABELS)}, "alertname": "RetryStorm"}},
        {"annotations": {str(n): "x" * (MAX_ALERT_TEXT // 4) for n in range(4)}},
        {"generatorURL": "http://127.0.0.1/" + LONG},
        {"annotations": {"summary": "x" * 900_000}},
    ],
    ids=["one text", "two texts", "a name", "labels", "many labels", "all texts", "an address", "a book"],
)
async def test_an_alert_that_is_too_long_is_cut_and_the_others_are_as_they_were(
    api: Api, given: dict[str, Any]
) -> None:
    """It is counted, and shown as cut, under its own name."""
    with api.recorded.changes() as changes:
        answer = await post(api, alert(fingerprint="a"), alert(**given), alert(fingerprint="b"))
    assert answer.status == 204
    second, cut, first = await listed(api)
    assert [each["cut"] for each in (first, cut, second)] == [False, True, False]
    assert cut["labels"]["alertname"] == "RetryStorm"
    assert len(cut["labels"]) <= MAX_LABELS
    texts = [*cut["labels"].items(), *cut["annotations"].items()]
    assert sum(len(name) + len(text) for name, text in texts) <= MAX_ALERT_TEXT
    assert impaired(changes) == {"cut": 1}
    assert (await api.get("/alerts?format=text")).text.count("  (too long: cut)\n") == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@generated(
    st.fixed_dictionaries(
        {},
        optional={
            "status": ANYTHING,
            "labels": ANYTHING,
            "annotations": ANYTHING | st.dictionaries(st.text(max_size=9), st.just(LONG), max_size=4),
            "startsAt": ANYTHING,
            "endsAt": ANYTHING,
            "generatorURL": ANYTHING | st.just(LONG),
            "fingerprint": ANYTHING,
        },
    ).map(lambda changed: {**alert(), **changed})
    | ANYTHING
)
def test_whatever_is_posted_as_an_alert_is_read_within_the_bounds_or_not_at_all(posted: Any) -> None:
    """It never fails, and what is read can be shown."""
    read = read_alert(posted)
    if read is not None:
        texts = [*read.labels.items(), *read.annotations.items()]
        assert sum(len(name) + len(text) for name, text in texts) <= MAX_ALERT_TEXT
        store = AlertStore()
        store.receive([read], datetime.now(UTC))
        assert store.latest(1)[0].model_dump_json()


async def test_of_more_alerts_than_are_remembered_the_first_are_taken(api: Api) -> None:
    """The rest is counted."""
    alerts = [alert(fingerprint=str(number)) for number in range(MAX_ALERTS + 3)]
    with api.recorded.changes() as changes:
        assert (await post(api, *alerts, truncatedAlerts=4)).status == 204
    assert (await listed(api, "?limit=1"))[0]["fingerprint"] == str(MAX_ALERTS - 1)
    assert impaired(changes) == {"left_out": 7}


async def test_the_longest_texts_that_are_taken(api: Api) -> None:
    """Every bound at once."""
    texts = {"a": "x" * MAX_TEXT, "b": "x" * (MAX_ALERT_TEXT - MAX_TEXT - 2)}
    labels = {str(n): "" for n in range(10)}
    assert (await post(api, alert(labels={}, annotations=texts))).status == 204
    assert (await post(api, alert(labels=labels, annotations=texts))).status == 204
    assert [each["cut"] for each in await listed(api)] == [True]
    many = {f"{n}": "" for n in range(MAX_LABELS)}
    answer = await post(api, *[alert(labels=many, fingerprint="x" * 64)] * MAX_ALERTS)
    assert answer.status == 204


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
async def test_a_time_that_is_none_in_utc(api: Api, time: str) -> None:
    """Found before it is compared."""
    error = error_of(await post(api, alert(startsAt=time)))
    assert error["field"] == "alerts.0.startsAt"
    assert "does not exist in utc" in error["message"]


@pytest.mark.parametrize(
    ("given", "field", "bound"),
    [
        ({"version": "3"}, "version", "'4'"),
        ({"version": 4}, "version", "'4'"),
        ({"alerts": {}}, "alerts", "list"),
        ({"alerts": [None]}, "alerts.0", "object"),
        ({"truncatedAlerts": -1}, "truncatedAlerts", ">= 0"),
        ({"truncatedAlerts": "many"}, "truncatedAlerts", "integer"),
        ({"receiver": None}, "receiver", "text"),
    ],
)
async def test_a_wrong_member_is_named(api: Api, given: dict[str, Any], field: str, bound: str) -> None:
    error = error_of(await api.call("POST", "/alerts", notification(**given)))
    assert (error["field"], error["bound"]) == (field, bound)


@pytest.mark.parametrize("body", ["null", "[]", '"x"', "7"])
async def test_what_is_no_object_is_refused(api: Api, body: str) -> None:
    assert error_of(await api.call("POST", "/alerts", content=body))["field"] == "(body)"


@pytest.mark.parametrize(
    "body", ["{", '{"version": "4', '{"junk": ' + "[" * 9999, '{"receiver": "\\ud800"}', b"\xff\xfe", "\0"]
)
async def test_what_is_no_json_is_refused(api: Api, body: str | bytes) -> None:
    """Also what is nested deeper than anybody reads, and half a character."""
    answer = await api.call("POST", "/alerts", content=body)
    assert (answer.status, answer.json()["type"]) == (400, "urn:retryscope:problem:malformed-json")


async def test_another_content_type_is_refused(api: Api) -> None:
    """So that a page in a browser can't post an alert."""
    body = json.dumps(notification(alert()))
    answer = await api.call("POST", "/alerts", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status == 415
    assert await listed(api) == []


async def test_texts_of_any_script(api: Api) -> None:
    """Also names, and characters that only JSON escapes can write."""
    labels = {"名前": "再試行の嵐 🌩", "empty": "", "quoted": '"\\\n\0'}
    await post(api, alert(labels=labels))
    (found,) = await listed(api)
    assert found["labels"] == labels


async def test_each_delivered_alert_is_counted_by_its_status(api: Api) -> None:
    """From the start, and also what is no news; what is refused is not."""
    samples = {labels: value for (name, labels), value in api.recorded.samples().items() if "alert" in name}
    effects = ("cut", "left_out", "refused")
    assert samples == {
        **{(("status", status),): 0 for status in ("firing", "resolved")},
        **{(("effect", effect),): 0 for effect in effects},
    }
    with api.recorded.changes() as changes:
        await post(api, alert(), alert(fingerprint="b"))
        await post(api, alert(), alert(fingerprint="b", status="resolved"))
        await post(api, alert(status="pending"))
    assert {name: value for name, value in changes.items() if "alert" in name and "http" not in name} == {
        'retryscope_alert_notifications_total{status="firing"}': 3,
        'retryscope_alert_notifications_total{status="resolved"}': 1,
    }


async def test_alerts_that_were_left_out_are_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """They are not shown, so somebody must be told."""
    with caplog.at_level(logging.WARNING, "retryscope_service"):
        await post(api, alert())
        assert caplog.messages == []
        await post(api, alert(), truncatedAlerts=7)
        await post(api, alert(), None, alert(annotations={"a": LONG}))
    assert caplog.messages == [
        "of a notification 0 alerts were cut, 0 refused, 7 left out",
        "of a notification 1 alerts were cut, 1 refused, 0 left out",
    ]


async def test_neither_is_traced(api: Api) -> None:
    """Alerts would push out of /traces what they are about."""
    await post(api, alert())
    await listed(api)
    assert api.recorded.log.started == []
