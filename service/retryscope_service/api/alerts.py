"""``/alerts``: Alertmanager's webhook, and what it has delivered."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, get_args

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from retryscope.families import counter
from retryscope.names import Metric
from retryscope_service import semconv
from retryscope_service.api.openapi_parts import get, problems
from retryscope_service.api.route import Resource, Route
from retryscope_service.http.form import FORM_PARAMETER, wants_text
from retryscope_service.http.paging import LIMIT_PARAMETER, page_limit
from retryscope_service.http.problems import Problem
from retryscope_service.http.query import choices, choices_parameter
from retryscope_service.http.validation import problem_of, read_params
from retryscope_service.notifications.notification import (
    MAX_ALERTS,
    CutAlert,
    Group,
    Notification,
    Status,
    read_alert,
)
from retryscope_service.notifications.store import AlertStore, RememberedAlert
from retryscope_service.notifications.text import render_alerts

MAX_BODY_BYTES: Final = 16_777_216
"""Largest notification: a thousand alerts, each as long as one may be."""
EFFECTS: Final = ("cut", "refused", "left_out")
"""What becomes of an alert that does not arrive whole."""
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

_log = logging.getLogger("retryscope_service")

_EXAMPLE: dict[str, Any] = {
    "version": "4",
    "status": "firing",
    "receiver": "retryscope",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "RetryStorm", "severity": "warning", "workflow": "retry"},
            "annotations": {"summary": "Each operation takes more than two attempts."},
            "startsAt": "2026-01-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph",
            "fingerprint": "c5b4b1b5f3a0a3d1",
        }
    ],
    "truncatedAlerts": 0,
}
_RECEIVE_OPERATION: Final[dict[str, Any]] = {
    "operationId": "receiveAlerts",
    "summary": "Alertmanager's webhook, version 4.",
    "requestBody": {
        "required": True,
        "description": "What Alertmanager sends; members that are not named here are not read. A wrong"
        " alert does not cost the others of its group: one that is too long is cut, one that can't be"
        f" read is left out, and {semconv.ALERTS_IMPAIRED.name}_total counts both; 422: none could be.",
        "content": {
            "application/json": {"schema": Notification, "example": _EXAMPLE},
        },
    },
    "responses": {
        "204": {"description": "The alerts are remembered, as far as they can be read."},
        **problems(400, 401, 408, 413, 415, 422),
    },
}


class AlertRoutes(Resource):
    """The routes of ``/alerts``."""

    def __init__(self, store: AlertStore, registry: CollectorRegistry) -> None:
        self._store = store
        self._delivered = _counters(semconv.ALERT_NOTIFICATIONS, STATUSES, registry)
        self._impaired = _counters(semconv.ALERTS_IMPAIRED, EFFECTS, registry)

    async def receive(self, request: web.Request) -> web.Response:
        """Take in a notification of Alertmanager."""
        remedy = "set max_alerts in the webhook_configs of Alertmanager"
        group = await read_params(request, Group, MAX_BODY_BYTES, remedy, required=True)
        posted = group.alerts[:MAX_ALERTS]
        alerts = [alert for each in posted if (alert := read_alert(each)) is not None]
        if posted and not alerts:
            raise _all_wrong(group)
        self._store.receive(alerts, datetime.now(UTC))
        for alert in alerts:
            self._delivered[alert.status].inc()
        self._count_impaired(
            cut=sum(isinstance(alert, CutAlert) for alert in alerts),
            refused=len(posted) - len(alerts),
            left_out=len(group.alerts) - len(posted) + group.truncated_alerts,
        )
        return web.Response(status=204)

    def _count_impaired(self, **numbers: int) -> None:
        for effect, number in numbers.items():
            self._impaired[effect].inc(number)
        if any(numbers.values()):
            _log.warning(
                "of a notification %(cut)d alerts were cut, %(refused)d refused, %(left_out)d left out",
                numbers,
            )

    async def listing(self, request: web.Request) -> web.Response:
        """The last alerts, the newest first; as text for ``?format=text``."""
        alerts = self._store.latest(page_limit(request), choices(request, "status", STATUSES))
        if wants_text(request):
            return web.Response(text=render_alerts(alerts))
        return web.json_response({"alerts": [alert.model_dump(mode="json") for alert in alerts]})

    ROUTES = (
        Route(
            "GET",
            "/alerts",
            listing,
            get(
                "listAlerts",
                "Alerts that Alertmanager has delivered, the one last heard of first, as JSON or as text.",
                [choices_parameter("status", STATUSES), LIMIT_PARAMETER, FORM_PARAMETER],
                (401, 422),
                ("application/json", "text/plain"),
                {
                    "type": "object",
                    "required": ["alerts"],
                    "properties": {"alerts": {"type": "array", "items": RememberedAlert}},
                },
            ),
            page=True,
        ),
        Route("POST", "/alerts", receive, _RECEIVE_OPERATION),
    )


def _counters(metric: Metric, values: Sequence[str], registry: CollectorRegistry) -> dict[str, Counter]:
    """The counters of a metric with one label, each there from the start."""
    family = counter(metric, registry)
    return {value: family.labels(value) for value in values}


def _all_wrong(group: Group) -> Problem:
    """Says of each alert what is wrong: Alertmanager's log is the only place where it can be seen."""
    try:
        Notification.model_validate(group.model_dump(by_alias=True))
    except ValidationError as error:
        return problem_of(error)
    raise AssertionError("one of them can be read")
