"""Reads the process's metrics once a second: for the charts' history, the alerts and the open pages.

    history, alerts = ChartHistory(charts(definition)), AlertStates(definition)
    sampler = Sampler(RegistryScraper(registry), history, alerts, hub.publish)

:meth:`Sampler.keep_sampling` has to run in the background, from when the process begins to serve.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from retryscope_service.monitor.alert_states import AlertStates
from retryscope_service.monitor.history import ChartHistory
from retryscope_service.monitor.scrape import RegistryScraper
from retryscope_service.monitor.series import STEP

Publish = Callable[[str, Any], None]
"""Tells the open pages: the name of an event, and its data."""

SET_BACK: Final = 60.0
"""Seconds: a clock that was set back by less is waited for; by more, everything begins anew."""


class Sampler:
    """Feeds a history and the alerts, and tells the open pages the time, which their machines need not know.

    Args:
        scraper: Where the numbers come from.
        history: Gets one scrape a second.
        alerts: Get one every ``STEP`` seconds.
        publish: Told the charts' values and the time each second, and all alerts when something about
            one changes.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        scraper: RegistryScraper,
        history: ChartHistory,
        alerts: AlertStates,
        publish: Publish,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scraper = scraper
        self._history = history
        self._alerts = alerts
        self._publish = publish
        self._clock = clock
        self._last: float | None = None
        self._evaluated: float | None = None

    async def keep_sampling(self) -> None:
        """Sample at each full second, until cancelled; the ones that it is too late for are left out."""
        while True:
            await asyncio.sleep(1 - self._clock() % 1)
            self.sample()

    def sample(self) -> None:
        """Sample once, unless that was done in this second."""
        now = self._clock()
        if self._last is not None and now < self._last - SET_BACK:
            self._history.clear()
            self._alerts.clear()
            self._last = self._evaluated = None
        if self._last is not None and round(now) <= round(self._last):
            return
        self._last = now
        scrape = self._scraper.scrape()
        values = self._history.add(now, scrape)
        self._publish("metrics", {"time": round(now), "now": self._clock(), "values": values})
        if self._evaluated is None or round(now) - round(self._evaluated) >= STEP:
            self._evaluated = now
            if self._alerts.evaluate(now, scrape):
                self._publish("alerts", self._alerts.states())
