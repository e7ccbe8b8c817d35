"""The end of an upstream: it waits for what is in flight, and not for what hangs."""

import asyncio

from tests.unit.retryscope_service.upstream.calls import calling


async def test_draining_waits_for_requests_in_flight() -> None:
    async with calling() as upstream:
        running = asyncio.create_task(upstream.call("/job?seconds=5"))
        await asyncio.sleep(1)
        await upstream.upstream.drain(60)
        assert (await running).status == 200


async def test_draining_waits_no_longer_than_its_limit() -> None:
    async with calling() as upstream:
        running = asyncio.create_task(upstream.call("/job?seconds=50"))
        await asyncio.sleep(1)
        before = asyncio.get_running_loop().time()
        await upstream.upstream.drain(3)
        assert 3 <= asyncio.get_running_loop().time() - before < 4
        running.cancel()


async def test_without_requests_it_is_drained_at_once() -> None:
    async with calling() as upstream:
        before = asyncio.get_running_loop().time()
        await upstream.upstream.drain(60)
        assert asyncio.get_running_loop().time() - before < 1
