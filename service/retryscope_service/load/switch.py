"""The traffic switch: a bounded load on this very service, so that nothing is empty at first sight.

    traffic = Traffic(hub.publish, token)
    traffic.serve_at(url)  # once requests are accepted
    traffic.stop()  # the first thing in a shutdown; what it has started is left to drain
    await traffic.close()  # after the drain, before the server is closed

It sends what `retryscope load` sends, over HTTP like any client: its runs are runs like any other.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Any, Final, Protocol

from retryscope_service.load.arrivals import schedule
from retryscope_service.load.client import LoadClient
from retryscope_service.load.generator import LoadGenerator
from retryscope_service.load.request import Sender
from retryscope_service.load.scenarios import SCENARIOS, Scenario
from retryscope_service.load.tally import LoadNumbers
from retryscope_service.load.traffic import requests

MAX_RATE: Final = 50.0
"""Requests a second."""
MAX_SECONDS: Final = 600.0

_DISRUPTIVE: Final = frozenset({"saturation", "stalled", "overload"})
"""They fill or block the very process that serves the page; `retryscope load` sends them."""

OFFERED: Final[Mapping[str, Scenario]] = MappingProxyType(
    {name: scenario for name, scenario in SCENARIOS.items() if name not in _DISRUPTIVE}
)
"""The scenarios that the console can send."""

TELL_SECONDS: Final = 1.0

_log = logging.getLogger("retryscope_service")


class OpenClient(Protocol):
    """Connects to a service; :meth:`LoadClient.open` does."""

    def __call__(self, url: str, *, timeout: float, token: str | None) -> AbstractAsyncContextManager[Sender]:
        """A client of the service at the URL."""


class TrafficUnavailableError(Exception):
    """It can't be switched on now; the message says why."""


class Traffic:
    """Sends one scenario at a time to this service.

    Args:
        publish: Told the state when it changes, and once a second while it is on.
        token: The API token of this service, if it needs one.
        clock: Seconds since the epoch.
        open_client: Connects to the service.
    """

    def __init__(
        self,
        publish: Callable[[str, Any], None],
        token: str | None = None,
        clock: Callable[[], float] = time.time,
        open_client: OpenClient = LoadClient.open,
    ) -> None:
        self._publish = publish
        self._token = token
        self._clock = clock
        self._open_client = open_client
        self._url: str | None = None
        self._name = "mixed"
        self._rate = OFFERED[self._name].rate
        self._ends_at: float | None = None
        self._load: _Load | None = None
        self._shown: _Load | None = None
        self._ending: _Load | None = None

    def serve_at(self, url: str) -> None:
        """From now on requests are accepted at this base URL."""
        self._url = url

    def start(self, scenario: str, rate: float, seconds: float) -> None:
        """Send a scenario, in place of the one that is sent now.

        Args:
            scenario: One of ``OFFERED``.
            rate: Requests a second, at most ``MAX_RATE``.
            seconds: For how long, at most ``MAX_SECONDS``.

        Raises:
            TrafficUnavailableError: The service does not listen yet, or shuts down.
        """
        assert scenario in OFFERED
        assert 0 < rate <= MAX_RATE
        assert 0 < seconds <= MAX_SECONDS
        if self._url is None:
            raise TrafficUnavailableError("the service takes no requests yet, or not any more")
        self._switch_off()
        self._name, self._rate, self._ends_at = scenario, rate, self._clock() + seconds
        client = self._open_client(self._url, timeout=OFFERED[scenario].timeout, token=self._token)
        self._load = self._shown = load = _Load(OFFERED[scenario], rate, seconds)
        load.start(client, self._tell, self._ended)
        self._tell()

    def switch_off(self) -> None:
        """Send nothing more; the runs that it has started go on."""
        if self._switch_off():
            self._tell()

    def stop(self) -> None:
        """The service shuts down: switch it off for good."""
        self._url = None
        self.switch_off()

    async def close(self) -> None:
        """End what is left of it."""
        self.stop()
        if self._ending is not None:
            await self._ending.cancel()

    def _switch_off(self) -> bool:
        load = self._load
        if load is None:
            return False
        if self._ending is not None:
            self._ending.abandon()  # never more than two, however often it is switched
        load.stop()
        self._load, self._ending, self._ends_at = None, load, None
        return True

    def _ended(self, load: "_Load") -> None:
        if load is self._load:
            self._load = self._ends_at = None
            self._tell()
        elif load is self._ending:
            self._ending = None
            if self._load is None:
                self._tell()  # the last answers are in

    def _tell(self) -> None:
        self._publish("traffic", self.document())

    def document(self) -> dict[str, Any]:
        """Whether it is on, what is sent or was sent last, and what came of it."""
        total = (LoadNumbers() if self._shown is None else self._shown.numbers).total
        return {
            "on": self._load is not None,
            "scenario": self._name,
            "rate": self._rate,
            "scenarios": [{"name": name, "summary": each.summary} for name, each in OFFERED.items()],
            "max_rate": MAX_RATE,
            "max_seconds": MAX_SECONDS,
            "ends_at": self._ends_at,
            "sent": total.sent,
            "succeeded": total.succeeded,
            "failed": total.failed,
            "not_sent": total.not_sent,
            "p99_seconds": total.corrected.percentile(99),
        }


class _Load:
    """One load, from its first request to its last answer."""

    def __init__(self, scenario: Scenario, rate: float, seconds: float) -> None:
        self._scenario = scenario
        self._rate = rate
        self._seconds = seconds
        self._generator: LoadGenerator | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def numbers(self) -> LoadNumbers:
        """What was sent, and what became of it."""
        return LoadNumbers() if self._generator is None else self._generator.numbers

    def start(
        self,
        client: AbstractAsyncContextManager[Sender],
        tell: Callable[[], None],
        ended: Callable[["_Load"], None],
    ) -> None:
        """Send; ``tell`` is called once a second, ``ended`` at the end."""
        self._task = asyncio.create_task(self._run(client, tell))
        self._task.add_done_callback(lambda _: ended(self))

    def stop(self) -> None:
        """Send nothing more."""
        if self._generator is not None:
            self._generator.stop()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Don't wait for answers any longer."""
        if self._task is not None:
            self._task.cancel()

    async def cancel(self) -> None:
        """Abandon it, and wait until nothing is left of it."""
        self.abandon()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, client: AbstractAsyncContextManager[Sender], tell: Callable[[], None]) -> None:
        try:
            async with client as sender:
                generator = self._generator = self._make_generator(sender)
                sending = asyncio.create_task(generator.run())
                try:
                    while not sending.done():
                        await asyncio.wait([sending], timeout=TELL_SECONDS)
                        if not sending.done():
                            tell()
                finally:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
                sending.result()
        except Exception:
            _log.exception("the traffic ended early")

    def _make_generator(self, sender: Sender) -> LoadGenerator:
        rng, scenario = random.Random(), self._scenario
        return LoadGenerator(
            requests(
                scenario.shares, time_scale=scenario.time_scale, background=scenario.background, rng=rng
            ),
            schedule("poisson", self._rate, rng),
            sender,
            duration=self._seconds,
            max_in_flight=scenario.max_in_flight,
        )
