"""Memory: what has ended leaves nothing behind, however much of it there was."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from tests.conftest import ROOT
from tests.support.otlp_receiver import otlp_receiver
from tests.support.polling import LIMIT
from tests.support.process import environment

TRAFFIC = dedent("""\
    import asyncio, gc, json, sys
    from opentelemetry import trace
    from retryscope import (
        Operation, RetryPolicy, cancellable, cleanup, gather, retry, setup, shutdown, step, timeout, workflow
    )
    from retryscope._recording import attributes
    from tests.support.clock import run, virtual_time_ns

    PRICE, STOCK = Operation("price", workflow="shop"), Operation("stock", workflow="shop")
    OFTEN = retry(PRICE, RetryPolicy(max_attempts=3))

    class Large(bytearray):
        "Stands for a response; a failed call has it among its locals."

    async def fails(number, times, tries):
        body = Large(2_000)
        tries.append(number)
        if len(tries) <= times:
            raise ConnectionError(f"no answer to request {number}: {len(body)}")
        return body

    async def slow(number):
        body = Large(2_000)
        async with timeout(STOCK, 0.05, name=f"request {number}"):
            await asyncio.sleep(60)

    async def cleans_up():
        body = Large(2_000)
        try:
            await asyncio.sleep(60)
        finally:
            await cleanup(STOCK, lambda: asyncio.sleep(0.1), timeout=1)

    async def cancelled(number):
        running = cancellable(STOCK, cleans_up, name=f"request {number}")
        await asyncio.sleep(0.1)
        running.cancel("request", reason=f"request {number}")
        await asyncio.wait([running.task])

    async def together(number):
        calls = {f"{each}": lambda each=each: fails(number, each, []) for each in range(3)}
        await gather(STOCK, calls, fail_fast=bool(number % 2))

    async def request(number):
        kinds = [
            lambda: OFTEN.call(fails, number, 0, []), lambda: OFTEN.call(fails, number, 1, []),
            lambda: OFTEN.call(fails, number, 9, []), lambda: slow(number),
            lambda: cancelled(number), lambda: together(number),
        ]
        try:
            async with workflow("shop", attributes={"order": number}), step(PRICE):
                await kinds[number % len(kinds)]()
        except (Exception, asyncio.CancelledError):
            pass

    def kept():
        trace.get_tracer_provider().force_flush()
        attributes._pairs.clear()  # it has a bound of its own: 4,096
        gc.collect()
        return sys.getallocatedblocks()

    async def asleep(number):
        for _ in range(number):
            running.add(each := asyncio.create_task(OFTEN.call(fails, 0, 1, [])))
            each.add_done_callback(running.discard)
        del each
        await asyncio.sleep(60)

    async def main():
        numbers = iter(range(1_000_000))
        counted = []
        for quarter in range(4):
            for _ in range(HOUR // 4):
                running.add(each := asyncio.create_task(request(next(numbers))))
                each.add_done_callback(running.discard)
                await asyncio.sleep(3600 / HOUR)
            await asyncio.sleep(60)
            del each
            counted.append(kept())
        await asleep(10_000)
        counted.append(kept())
        return counted

    HOUR, running = 2_000, set()
    setup(time_ns=virtual_time_ns)
    blocks = run(main())
    large = sum(isinstance(each, Large) for each in gc.get_objects())
    shutdown()
    print(json.dumps({"blocks": blocks, "large": large, "running": len(running)}))
    """)


@pytest.mark.parametrize("recorder", ["fast", "sdk"])
def test_an_hour_of_traffic_leaves_nothing(recorder: str) -> None:
    """Six kinds of ends, then 10,000 calls asleep at once."""
    with otlp_receiver() as receiver:
        done = subprocess.run(
            [sys.executable, "-c", TRAFFIC],
            cwd=ROOT,
            env=environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, RETRYSCOPE_RECORDER=recorder),
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    first, *later = found["blocks"]
    assert max(later) < first + 2_000, "blocks of memory after each quarter of an hour"
    assert found["large"] == found["running"] == 0
