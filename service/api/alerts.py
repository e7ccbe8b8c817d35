"""``/alerts``: Alertmanager's webhook, and what it has delivered."""

import logging
from datetime import UTC, datetime
from typing import Final, get_args

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from instrumentation import semconv
from service.alerts.notification import Notification, Status
from service.alerts.store import AlertStore
from service.alerts.text import render_alerts
from service.api.form import wants_text
from service.api.paging import page_limit
from service.api.problems import invalid_parameter
from service.api.validation import read_params

MAX_BODY_BYTES: Final = 1_048_576
"""Largest notification: some hundred alerts."""
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

_log = logging.getLogger("service")


PARAMETERS: Final = frozenset({"format", "limit", "status"})
"""Of ``GET /alerts``: with a misspelt one it would show what was not asked for."""


class AlertRoutes:
    """The routes of ``/alerts``."""

    def __init__(self, store: AlertStore, registry: CollectorRegistry) -> None:
        self._store = store
        metric = semconv.ALERT_NOTIFICATIONS
        family = Counter(metric.name, metric.help, metric.labels, registry=registry)
        self._delivered = {status: family.labels(status) for status in STATUSES}

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.post("/alerts", self.receive), web.get("/alerts", self.list)]

    async def receive(self, request: web.Request) -> web.Response:
        """Take in a notification of Alertmanager."""
        remedy = "set max_alerts in the webhook_configs of Alertmanager"
        notification = await read_params(request, Notification, MAX_BODY_BYTES, remedy, required=True)
        self._store.receive(notification.alerts, datetime.now(UTC))
        for alert in notification.alerts:
            self._delivered[alert.status].inc()
        if notification.truncated_alerts:
            _log.warning("Alertmanager left %d alerts out of a notification", notification.truncated_alerts)
        return web.Response(status=204)

    async def list(self, request: web.Request) -> web.Response:
        """The last alerts, the newest first; as text for ``?format=text``."""
        for name in request.query.keys() - PARAMETERS:
            raise invalid_parameter(name, request.query[name], f"one of {', '.join(sorted(PARAMETERS))}")
        alerts = self._store.latest(page_limit(request), _wanted_status(request))
        if wants_text(request):
            return web.Response(text=render_alerts(alerts))
        return web.json_response({"alerts": [alert.model_dump(mode="json") for alert in alerts]})


def _wanted_status(request: web.Request) -> Status | None:
    given = request.query.get("status")
    for status in STATUSES:
        if given == status:
            return status
    if given is not None:
        raise invalid_parameter("status", given, " or ".join(STATUSES))
    return None
