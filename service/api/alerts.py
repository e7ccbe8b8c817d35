"""``/alerts``: Alertmanager's webhook, and what it has delivered."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, get_args

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from instrumentation import semconv
from service.alerts.notification import MAX_ALERTS, CutAlert, Group, Notification, Status, read_alert
from service.alerts.store import AlertStore
from service.alerts.text import render_alerts
from service.api.form import wants_text
from service.api.paging import page_limit
from service.api.problems import Problem
from service.api.query import choices
from service.api.validation import problem_of, read_params

MAX_BODY_BYTES: Final = 16_777_216
"""Largest notification: a thousand alerts, each as long as one may be."""
EFFECTS: Final = ("cut", "refused", "left_out")
"""What becomes of an alert that does not arrive whole."""
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

_log = logging.getLogger("service")


class AlertRoutes:
    """The routes of ``/alerts``."""

    def __init__(self, store: AlertStore, registry: CollectorRegistry) -> None:
        self._store = store
        self._delivered = _counters(semconv.ALERT_NOTIFICATIONS, STATUSES, registry)
        self._impaired = _counters(semconv.ALERTS_IMPAIRED, EFFECTS, registry)

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.post("/alerts", self.receive), web.get("/alerts", self.list)]

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

    async def list(self, request: web.Request) -> web.Response:
        """The last alerts, the newest first; as text for ``?format=text``."""
        alerts = self._store.latest(page_limit(request), choices(request, "status", STATUSES))
        if wants_text(request):
            return web.Response(text=render_alerts(alerts))
        return web.json_response({"alerts": [alert.model_dump(mode="json") for alert in alerts]})


def _counters(
    metric: semconv.Metric, values: Sequence[str], registry: CollectorRegistry
) -> dict[str, Counter]:
    """The counters of a metric with one label, each there from the start."""
    family = Counter(metric.name, metric.help, metric.labels, registry=registry)
    return {value: family.labels(value) for value in values}


def _all_wrong(group: Group) -> Problem:
    """Says of each alert what is wrong: Alertmanager's log is the only place where it can be seen."""
    try:
        Notification.model_validate(group.model_dump(by_alias=True))
    except ValidationError as error:
        return problem_of(error)
    raise AssertionError("one of them can be read")
