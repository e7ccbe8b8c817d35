"""``/metrics`` among other requests: it holds nobody up, and many scrapes cost as much as two."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.registry import Collector

from retryscope_service.api.metrics import OFFERED, MetricsRoutes
from retryscope_service.http.accept import MediaType, choose, read_wanted, takes_gzip
from retryscope_service.http.authentication import Handler
from tests.support.polling import LIMIT

REAL_LOOP = True
"""With real threads."""

SCRAPES = 21
TURNS = 100
PLAIN, OPENMETRICS, PLAIN_1 = OFFERED

Client = TestClient[web.Request, web.Application]


class Slow(Collector):
    """Has its metric read only after it is let go."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.asked = 0
        self.all_asked = asyncio.Event()
        self.reads = 0
        self.was_let_go = True

    def collect(self) -> Iterator[Metric]:
        self.reads += 1
        self.began.release()
        self.was_let_go &= self.go_on.wait(LIMIT / 4)
        yield Metric("slow", "Slow.", "gauge")


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def client(slow: Slow) -> AsyncIterator[Client]:
    registry = CollectorRegistry()
    registry.register(slow)
    family = Counter("many", "Many.", ["number"], registry=registry)
    for number in range(200):
        family.labels(str(number)).inc()

    @web.middleware
    async def counting(request: web.Request, handler: Handler) -> web.StreamResponse:
        slow.asked += 1
        if slow.asked == SCRAPES:
            slow.all_asked.set()
        return await handler(request)

    app = web.Application(middlewares=[counting])
    app.add_routes(MetricsRoutes(registry).routes())
    async with TestClient(
        TestServer(app), auto_decompress=False, skip_auto_headers=["Accept-Encoding"]
    ) as client:
        yield client


async def scrape(client: Client, **headers: str) -> tuple[str | None, bytes]:
    async with client.get("/metrics", headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"
        return answer.headers.get("Content-Encoding"), await answer.read()


async def turn(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_the_loop_turns_while_the_metrics_are_rendered(client: Client, slow: Slow) -> None:
    """The rendering itself waits for the turns: on the loop it would wait in vain."""
    scraping = asyncio.create_task(scrape(client))
    await asyncio.to_thread(slow.began.acquire)
    await turn(TURNS)
    assert not scraping.done()
    slow.go_on.set()
    _, text = await scraping
    assert slow.was_let_go
    assert b"many_total" in text


async def test_scrapes_at_the_same_time_are_rendered_once(client: Client, slow: Slow) -> None:
    """Whoever comes while it is being rendered shares the next one: what is counted before it asks is in."""
    first = asyncio.create_task(scrape(client))
    await asyncio.to_thread(slow.began.acquire)
    others = [asyncio.create_task(scrape(client)) for _ in range(SCRAPES - 1)]
    await slow.all_asked.wait()
    slow.go_on.set()
    await asyncio.gather(first, *others)
    assert slow.reads == 2


async def test_one_that_goes_away_takes_it_from_nobody(client: Client, slow: Slow) -> None:
    leaves, stays = (asyncio.create_task(scrape(client)) for _ in range(2))
    await asyncio.to_thread(slow.began.acquire)
    leaves.cancel()
    slow.go_on.set()
    _, text = await stays
    assert b"many_total" in text


async def test_gzip_is_the_same_in_a_fifth(client: Client, slow: Slow) -> None:
    slow.go_on.set()
    _, plain = await scrape(client, **{"Accept-Encoding": "identity"})
    coding, packed = await scrape(client, **{"Accept-Encoding": "deflate, gzip;q=0.5"})
    assert coding == "gzip"
    assert gzip.decompress(packed) == plain
    assert len(packed) * 5 < len(plain)


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("gzip, identity;q=0.5", True),
        ("*;q=0, gzip", True),
        ("", False),
        ("identity", False),
        ("br, deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("gzip; Q=0", False),
        ("gzip;q=0.5, identity", False),
        ("*;q=0", False),
        ("gzip;q=high", False),
        ("gzipped", False),
    ],
)
def test_who_wants_gzip_gets_it(accepted: str, packed: bool) -> None:
    assert takes_gzip(accepted) is packed


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/*", PLAIN),
        ("application/*", OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", OPENMETRICS),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", PLAIN),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.4", OPENMETRICS),
        ("application/openmetrics-text;q=0, */*", PLAIN),
        ("text/plain;q=0, */*;q=0.1", OPENMETRICS),
        ("text/plain;q=0", OPENMETRICS),
        ("text/plain;version=0.0.4;q=0, text/plain", PLAIN_1),
        ("text/plain, application/openmetrics-text", PLAIN),
        ("application/openmetrics-text, text/plain", OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1, text/plain;version=0.0.4;q=0.1", PLAIN),
        ("text/plain;version=1.0.0;q=0.4, text/plain;version=0.0.4;q=0.3", PLAIN_1),
        ('text/plain;note="a,b;q=0";q=0.1, application/openmetrics-text;q=0.2', OPENMETRICS),
        ("application/openmetrics-text;version=99", PLAIN),
        ("application/json", PLAIN),
        ("text/plain;q=2, application/openmetrics-text;q=0.1", OPENMETRICS),
        ("*/*;q=0", None),
        ("text/*;q=0, application/openmetrics-text;q=0", None),
        ("text/plain;q=0, application/openmetrics-text;q=0", None),
    ],
)
def test_the_format_that_is_liked_best(accept: str, chosen: MediaType | None) -> None:
    choice = choose(accept, OFFERED)
    assert (None if choice is None else choice.media_type) == chosen


NAMES = st.sampled_from(
    ["text/plain", "text/*", "*/*", "application/openmetrics-text", "application/*", "text/html", "x", ""]
)
PARAMETERS = st.sampled_from(
    ["", ";version=0.0.4", ";version=1.0.0", ";version=one", ";charset=utf-8", ';a="b,c"']
)
QUALITIES = st.sampled_from(["", ";q=0", ";q=0.1", ";q=0.5", ";q=1", ";q=0.000", ";q=nan", ";Q=0.7"])
ELEMENTS = st.builds(lambda *parts: "".join(parts), NAMES, PARAMETERS, QUALITIES)


@given(st.lists(ELEMENTS, max_size=8).map(",".join))
def test_nothing_is_sent_that_is_refused_while_something_is_wanted(accept: str) -> None:
    """Held to the plain reading: the element that names a type most exactly says whether it is wanted."""
    wanted = read_wanted(accept)

    def said(each: MediaType) -> float | None:
        exact = max((each.match(one) for one in wanted), default=0)
        return (
            max((one.quality for one in wanted if each.match(one) == exact), default=None) if exact else None
        )

    qualities = {each.name + each.parameters["version"]: said(each) for each in OFFERED}
    choice = choose(accept, OFFERED)
    if choice is None:
        assert set(qualities.values()) == {0.0}
        return
    got = qualities[choice.media_type.name + choice.media_type.parameters["version"]]
    assert got != 0
    assert (got or 0) == max(each or 0 for each in qualities.values())


@given(st.text(max_size=200))
def test_whatever_the_headers_say_something_is_made_of_it(header: str) -> None:
    for each in read_wanted(header):
        assert each.name
        assert 0 <= each.quality <= 1
    choose(header, OFFERED)
    takes_gzip(header)
