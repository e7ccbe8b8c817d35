"""Checkouts on Redis and PostgreSQL, with faults, cancels and a killed worker: nothing is lost.

The orders that a process ended are counted by its row in the database and by its own metrics; those of the
killed one by the rows only, as its metrics died with it.
"""

import asyncio
import json
import os
from contextlib import ExitStack
from pathlib import Path
from random import Random

import aiohttp

from tests.support.polling import until
from tests.support.postgresql import PostgresServer
from tests.support.process import Service
from tests.support.redis import RedisServer
from tests.support.runs import call, cluster_on, submit, wait_for_all

CHECKOUTS = int(os.environ.get("TEST_CHECKOUTS", "500"))
"""2,000 take a minute of both cores."""
CANCELLED = 0.1
FAULTS = {
    "error": 0.04,
    "rate_limited": 0.03,
    "unavailable": 0.03,
    "hang": 0.03,
    "reset": 0.03,
    "truncated": 0.02,
    "slow_body": 0.02,
    "retry_after": 0,
    "hang_seconds": 1.0,
    "slow_body_seconds": 0.1,
}
"""20 % of the requests to the shop."""
PARAMS = {"duration": 0.01, "base_delay": 0.02, "attempt_timeout": 5.0, "deadline": 20.0, "budget": False}


async def test_every_order_is_settled_or_compensated(
    http: aiohttp.ClientSession, redis: RedisServer, postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.new_database()
    name = url.partition("@/")[2].partition("?")[0]

    def ask(query: str) -> str:
        return postgres.sql(query, name)

    def ended_by(service: Service, state: str) -> int:
        where = f"ended_by LIKE '%#{service.process.pid}' AND state = '{state}'"
        return int(ask(f"SELECT count(*) FROM orders WHERE {where}"))  # noqa: S608

    variables = {"RETRYSCOPE_DATABASE_URL": url, "RETRYSCOPE_UPSTREAM_FAULTS": json.dumps(FAULTS)}
    with ExitStack() as stack:
        cluster = stack.enter_context(
            cluster_on(redis, tmp_path, workers=2, concurrency=20, variables=variables)
        )
        victim, other = cluster.workers
        free, random = asyncio.Semaphore(16), Random(15)

        async def one(number: int, cancelled: bool, delay: float) -> str:
            async with free:
                sku = ("book", "chair", "lamp")[number % 3]
                params = {**PARAMS, "seed": number, "sku": sku, "quantity": 1 + number % 5}
                run = await submit(http, cluster.first, "checkout", params)
            if cancelled:
                await asyncio.sleep(delay)
                await call(http, cluster.first, "POST", f"/runs/{run}/cancel")
            return run

        drawn = [(random.random() < CANCELLED, random.uniform(0.0, 2.0)) for _ in range(CHECKOUTS)]
        submitting = asyncio.gather(*(one(number, *each) for number, each in enumerate(drawn)))
        await until(
            lambda: victim.metric("retryscope_orders_total", state="settled"),
            "the worker has settled some",
            lambda settled: settled >= CHECKOUTS / 20,
        )
        victim.kill()
        await wait_for_all(http, cluster.first, await submitting)
        opened = "SELECT count(*) FROM orders WHERE state IN ('pending', 'compensating')"
        await until(lambda: ask(opened), "no order is open", lambda count: count == "0")
        states = dict(
            line.split("|") for line in ask("SELECT state, count(*) FROM orders GROUP BY state").splitlines()
        )
        assert states.keys() == {"settled", "compensated"}, states
        assert ask("SELECT * FROM discrepancies") == ""
        for state, count in states.items():
            alive = sum(ended_by(each, state) for each in (cluster.first, other))
            metrics = [each.metric("retryscope_orders_total", state=state) for each in (cluster.first, other)]
            assert alive == sum(metrics)
            assert alive + ended_by(victim, state) == int(count)
        assert ended_by(victim, "settled") > 0
        money = "SELECT sum(charged - refunded) FROM payments"
        assert ask(money) == ask("SELECT sum(total) FROM orders WHERE state = 'settled'")
        sold = "SELECT sum(sold) FROM stock"
        assert ask(sold) == ask("SELECT sum(quantity) FROM orders WHERE state = 'settled'")
        assert ask("SELECT sum(held) FROM stock") == "0"
