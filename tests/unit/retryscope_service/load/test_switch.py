"""The traffic switch: on, off, one at a time, over by itself, and ended with the service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from retryscope_service.load.request import Answer, Request
from retryscope_service.load.scenarios import SCENARIOS
from retryscope_service.load.switch import OFFERED, Traffic, TrafficUnavailableError
from tests.unit.retryscope_service.load.stubs import SlowService
from tests.unit.retryscope_service.monitor.scrapes import START

SECONDS = 20.0


class Switch:
    """A traffic switch on the virtual clock, the service that it sends to, and what it has published."""

    def __init__(self, takes: float = 0.2) -> None:
        self.service = SlowService(lambda _: takes)
        self.clients: list[tuple[str, str | None]] = []
        self.open_clients = 0
        self.published: list[dict[str, Any]] = []
        self.traffic = Traffic(
            lambda event, data: self.published.append({"event": event, **data}),
            "secret",
            lambda: START + asyncio.get_running_loop().time(),
            self._open,
        )
        self.traffic.serve_at("http://service")

    @asynccontextmanager
    async def _open(self, url: str, *, timeout: float, token: str | None) -> AsyncIterator[SlowService]:
        self.clients.append((url, token))
        self.open_clients += 1
        try:
            yield self.service
        finally:
            self.open_clients -= 1

    def on(self, scenario: str = "failures", rate: float = 10.0) -> None:
        self.traffic.start(scenario, rate, SECONDS)

    @property
    def state(self) -> dict[str, Any]:
        return self.traffic.document()


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    switch = Switch()
    yield switch
    await switch.traffic.close()
    assert switch.open_clients == switch.service.in_flight == 0


async def test_is_off_at_first(switch: Switch) -> None:
    state = switch.state
    assert (state["on"], state["sent"], state["ends_at"], state["p99_seconds"]) == (False, 0, None, None)


async def test_offers_what_does_not_bring_the_service_down(switch: Switch) -> None:
    assert [offered["name"] for offered in switch.state["scenarios"]] == [
        *("mixed", "failures", "caught-failures", "retry-storm", "timeouts", "cancellations"),
    ]
    assert set(SCENARIOS) - set(OFFERED) == {"saturation", "stalled", "overload"}


async def test_sends_at_the_rate_to_the_service_with_its_token(switch: Switch) -> None:
    switch.on(rate=10)
    await asyncio.sleep(15)
    state = switch.state
    assert switch.clients == [("http://service", "secret")]
    assert 100 < state["sent"] < 200  # 150 on average
    assert (state["on"], state["scenario"], state["rate"]) == (True, "failures", 10)
    assert state["ends_at"] == START + SECONDS
    assert state["succeeded"] in range(state["sent"] - 20, state["sent"] + 1)
    assert state["p99_seconds"] == pytest.approx(0.2, rel=0.02)


async def test_is_off_when_it_ended_by_itself(switch: Switch) -> None:
    switch.on()
    await asyncio.sleep(SECONDS + 1)
    state = switch.state
    assert (state["on"], state["ends_at"]) == (False, None)
    assert state["succeeded"] == state["sent"] > 0
    assert switch.published[-1] == {"event": "traffic", **state}
    assert switch.open_clients == 0


async def test_tells_the_pages_once_a_second_and_each_change(switch: Switch) -> None:
    switch.on()
    await asyncio.sleep(5.5)
    assert len(switch.published) == 6
    sent = [told["sent"] for told in switch.published]
    assert sent == sorted(sent)
    switch.traffic.switch_off()
    assert switch.published[-1]["on"] is False
    await asyncio.sleep(60)
    assert len(switch.published) == 8  # off; and once more with the last answers
    assert switch.published[-1]["succeeded"] == switch.published[-1]["sent"]


async def test_can_be_switched_off_before_it_has_begun(switch: Switch) -> None:
    switch.on()
    switch.traffic.switch_off()
    await asyncio.sleep(SECONDS)
    assert switch.state["sent"] == 0
    assert switch.service.came == []


async def test_switching_off_what_is_off_changes_nothing(switch: Switch) -> None:
    switch.traffic.switch_off()
    assert switch.published == []


async def test_sends_nothing_more_once_it_is_off_but_waits_for_answers(switch: Switch) -> None:
    switch.on(rate=50)
    await asyncio.sleep(5)
    switch.traffic.switch_off()
    sent = switch.state["sent"]
    await asyncio.sleep(SECONDS)
    assert switch.state["sent"] == switch.state["succeeded"] == sent


async def test_one_at_a_time(switch: Switch) -> None:
    """The second one takes the place of the first; the first still gets its answers."""
    switch.on("failures", rate=50)
    await asyncio.sleep(5)
    switch.on("timeouts", rate=1)
    came = len(switch.service.came)
    await asyncio.sleep(10)
    assert (switch.state["scenario"], switch.state["rate"]) == ("timeouts", 1)
    assert switch.state["sent"] == len(switch.service.came) - came < 30
    assert switch.open_clients == 1


async def test_switching_again_and_again_leaves_two_at_most(switch: Switch) -> None:
    switch.service._takes = lambda _: 9.0
    for _ in range(5):
        switch.on(rate=50)
        await asyncio.sleep(0.5)
    assert switch.open_clients == 2


async def test_a_shutdown_ends_it_for_good(switch: Switch) -> None:
    switch.on()
    await asyncio.sleep(3)
    switch.traffic.stop()
    assert switch.state["on"] is False
    with pytest.raises(TrafficUnavailableError):
        switch.on()


async def test_close_does_not_wait_for_answers() -> None:
    switch = Switch(takes=3600.0)
    switch.on()
    await asyncio.sleep(3)
    began = asyncio.get_running_loop().time()
    await switch.traffic.close()
    assert asyncio.get_running_loop().time() == began
    assert switch.open_clients == switch.service.in_flight == 0


async def test_is_not_available_before_the_service_listens() -> None:
    traffic = Traffic(lambda *_: None)
    with pytest.raises(TrafficUnavailableError):
        traffic.start("mixed", 1, 1)


async def test_a_bug_in_it_is_logged_and_switches_it_off(
    switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request) -> Answer:
        raise RuntimeError("a bug")

    switch.service.send = broken  # type: ignore[method-assign]
    switch.on()
    await asyncio.sleep(5)
    assert switch.state["on"] is False
    assert "the traffic ended early" in caplog.text
