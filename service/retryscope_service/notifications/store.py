"""The alerts that were delivered, as they are now and as they were: in this process, bounded."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from retryscope_service.notifications.notification import Alert, CutAlert, Status

MAX_REMEMBERED: Final = 1_000
"""Alerts that are remembered, firing and resolved."""


class RememberedAlert(BaseModel):
    """One occurrence of an alert: from the time it began to fire until it was resolved."""

    model_config = ConfigDict(frozen=True)

    status: Status
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None = Field(
        description="null while it fires, and where its end was never delivered."
    )
    received_at: datetime = Field(description="When it was last heard of.")
    fingerprint: str = Field(description="The same for every occurrence of an alert.")
    generator_url: str
    cut: bool = Field(False, description="Whether it was too long, and some of its texts are cut or missing.")


class AlertStore:
    """The last alerts, each occurrence once.

    Notifications come more than once and late. Of one occurrence the last that arrived counts: Alertmanager
    that loses Prometheus takes an alert for resolved, and then finds it firing since the same time. A late
    repetition is corrected by the next notification; an alert hidden for good would not be.

    Args:
        limit: Alerts that are remembered. The resolved one that was heard of least recently makes room
            first; one that fires only where all of them fire.
    """

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._alerts: OrderedDict[tuple[str, datetime], RememberedAlert] = OrderedDict()
        self._last_start: dict[str, datetime] = {}

    def receive(self, alerts: Sequence[Alert], now: datetime) -> None:
        """Take in what a notification says."""
        for alert in alerts:
            self._receive(alert, now)

    def latest(self, limit: int, statuses: Collection[str] = ()) -> list[RememberedAlert]:
        """Up to ``limit`` alerts, the last heard of first; where statuses are given, with one of these."""
        found = (each for each in reversed(self._alerts.values()) if not statuses or each.status in statuses)
        return [each for each, _ in zip(found, range(limit), strict=False)]

    def _receive(self, alert: Alert, now: datetime) -> None:
        start = self._last_start.get(alert.fingerprint)
        if start is None:
            self._remember(alert, alert.starts_at, now)
            return
        known = self._alerts[alert.fingerprint, start]
        if alert.starts_at > start:
            if known.status == "firing":
                self._alerts[alert.fingerprint, start] = known.model_copy(update={"status": "resolved"})
            self._remember(alert, alert.starts_at, now)
        elif self._is_about(alert, known):
            self._remember(alert, start, now)
        else:
            self._complete(alert)

    def _is_about(self, alert: Alert, known: RememberedAlert) -> bool:
        """Whether it is about the occurrence that is known last, and not about an earlier one."""
        if alert.starts_at == known.starts_at:
            return True
        if known.status == "resolved":
            return False
        # Of two Prometheus servers that watch the same, Alertmanager takes the earlier start.
        return alert.status == "firing" or alert.ends_at >= known.starts_at

    def _complete(self, alert: Alert) -> None:
        """Fill in the end of an earlier occurrence, where it comes late."""
        key = (alert.fingerprint, alert.starts_at)
        earlier = self._alerts.get(key)
        if earlier is not None and earlier.ends_at is None and alert.status == "resolved":
            self._alerts[key] = earlier.model_copy(update={"ends_at": alert.ends_at})

    def _remember(self, alert: Alert, starts_at: datetime, now: datetime) -> None:
        key = (alert.fingerprint, starts_at)
        self._alerts[key] = RememberedAlert(
            status=alert.status,
            labels=alert.labels,
            annotations=alert.annotations,
            starts_at=starts_at,
            ends_at=alert.ends_at if alert.status == "resolved" else None,
            received_at=now,
            fingerprint=alert.fingerprint,
            generator_url=alert.generator_url,
            cut=isinstance(alert, CutAlert),
        )
        self._alerts.move_to_end(key)
        self._last_start[alert.fingerprint] = starts_at
        while len(self._alerts) > self._limit:
            self._forget_one()

    def _forget_one(self) -> None:
        keys = (key for key, alert in self._alerts.items() if alert.status == "resolved")
        key = next(keys, None) or next(iter(self._alerts))
        del self._alerts[key]
        fingerprint, starts_at = key
        if self._last_start[fingerprint] == starts_at:
            del self._last_start[fingerprint]
