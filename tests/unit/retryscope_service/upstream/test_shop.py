"""The shop's routes, and the client that calls them: what is refused, what is done though nobody is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from retryscope_service.operations.database import Database
from retryscope_service.operations.shop.books import Refund
from retryscope_service.operations.shop.client import ShopClient, ShopError, is_transient
from tests.support.shop import OpenShop, open_shop

REAL_LOOP = True


@pytest.fixture
async def shop() -> AsyncIterator[OpenShop]:
    async with Database() as database, open_shop(database) as shop:
        yield shop


async def test_an_order_is_held_paid_released_and_refunded_over_http(shop: OpenShop) -> None:
    client = shop.shop.client
    assert await client.price("lamp") == 3999
    await client.hold("x", "lamp", 2)
    await client.charge("x", 7998)
    await client.release("x")
    assert await client.refund("x") == Refund(7998, 7998)
    assert await shop.sql("SELECT on_hand = total, held, sold FROM stock WHERE sku = 'lamp'") == [(1, 0, 0)]


async def test_what_the_books_refuse_is_409_and_no_further_attempt_helps(shop: OpenShop) -> None:
    with pytest.raises(ShopError, match="no SKU 'boat'") as refused:
        await shop.shop.client.price("boat")
    assert refused.value.status == 409
    assert not is_transient(refused.value)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/holds/x", {}),
        ("PUT", "/holds/x", {"sku": "book", "quantity": 0}),
        ("PUT", "/payments/x", {"amount": -1}),
        ("PUT", "/payments/x", {"amount": 1, "currency": "EUR"}),
        ("GET", "/prices/book?seconds=36001", None),
        ("GET", "/prices/book?seconds=soon", None),
    ],
)
async def test_a_request_that_is_wrong_is_422(shop: OpenShop, method: str, path: str, body: Any) -> None:
    async with shop.session.request(method, shop.url + path, json=body) as response:
        assert response.status == 422


@pytest.mark.parametrize("fault", ["error", "rate_limited", "unavailable"])
async def test_a_refusal_comes_before_anything_is_done(shop: OpenShop, fault: str) -> None:
    shop.upstream.use(shop.upstream.faults.model_copy(update={fault: 1.0, "retry_after": 7}))
    with pytest.raises(ShopError) as refused:
        await shop.shop.client.charge("x", 100)
    assert is_transient(refused.value)
    assert refused.value.retry_after == (None if fault == "error" else 7.0)
    assert await shop.sql("SELECT * FROM orders") == []
    assert await shop.sql("SELECT * FROM payments") == []


@pytest.mark.parametrize("fault", ["hang", "reset", "truncated"])
async def test_other_faults_come_when_it_is_done_and_the_caller_cannot_know(
    shop: OpenShop, fault: str
) -> None:
    shop.upstream.use(shop.upstream.faults.model_copy(update={fault: 1.0, "hang_seconds": 0.05}))
    with pytest.raises(Exception) as lost:  # noqa: PT011 - aiohttp has several
        await shop.shop.client.charge("x", 100)
    assert is_transient(lost.value)
    assert await shop.sql("SELECT charged FROM payments") == [(100,)]


@pytest.mark.parametrize("body", ["", "<h1>Bad Gateway</h1>", "[]", "{}"])
async def test_what_stands_between_may_answer_something_else(body: str) -> None:
    """As a proxy does; another attempt may reach the shop."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=502, text=body)

    app = web.Application()
    app.router.add_get("/prices/book", answer)
    async with TestServer(app) as proxy, ClientSession() as session:
        with pytest.raises(ShopError, match="the shop answered 502") as failed:
            await ShopClient(session, str(proxy.make_url(""))).price("book")
    assert is_transient(failed.value)


async def test_a_slow_body_is_waited_for(shop: OpenShop) -> None:
    shop.upstream.use(shop.upstream.faults.model_copy(update={"slow_body": 1.0, "slow_body_seconds": 0.05}))
    assert await shop.shop.client.price("book") == 1250


async def test_a_call_takes_the_seconds_that_it_asks_for(shop: OpenShop) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await shop.shop.client.taking(0.05).price("book")
    assert loop.time() - began >= 0.05
