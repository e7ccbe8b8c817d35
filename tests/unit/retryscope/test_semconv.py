"""The one table of names: everything that is emitted is in it, and everything in it is emitted."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from retryscope import (
    RetryPolicy,
    cancellable,
    cleanup,
    gather,
    request_cancel,
    retry,
    semconv,
    step,
    task_factory,
    timeout,
    workflow,
)
from retryscope._recording.telemetry import active, install
from tests.support.clock import run
from tests.support.names import check_family, check_type
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, failer, sleeper

HTTP = {
    name for name in semconv.ATTRIBUTES if re.match(r"(http|url|server|client|network|user_agent)\.", name)
}
"""Emitted by the adapter: see adapters/test_aiohttp_server.py."""


def test_every_name_is_emitted_and_every_emitted_name_is_in_the_table(recorded: Recorded) -> None:
    """A scenario that uses every primitive and every path."""

    async def main() -> None:
        async with workflow("checkout", deadline=100):
            await retry(PRICE, RetryPolicy(base_delay=1, attempt_timeout=5)).call(Script(OSError(), 1))
            calls: dict[str, Any] = {"bad": retry(PRICE)(failer(KeyError())), "slow": timeout_of(1)}
            await gather(PRICE, calls)
            running = cancellable(STOCK, sleeper(60), name="sku", on_cancel=failer(OSError()))
            await asyncio.sleep(1)
            running.cancel()
            await asyncio.wait([running.task])
            await cleanup(STOCK, sleeper(60), timeout=1)

    def timeout_of(limit: float) -> Any:
        async def body() -> None:
            try:
                async with timeout(STOCK, limit):
                    await asyncio.sleep(60)
            finally:
                raise ValueError

        return body

    async def overrun() -> None:
        async with timeout(STOCK, 1):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(1)
                raise

    async def cancelled_by_a_task_that_is_known() -> None:
        asyncio.get_running_loop().set_task_factory(task_factory)
        running = asyncio.create_task(retry(PRICE).call(sleeper(60)))
        await asyncio.sleep(1)
        running.cancel("no longer needed")
        await asyncio.wait([running])

    run(main())
    run(cancelled_by_a_task_that_is_known())
    with pytest.raises(TimeoutError):
        run(overrun())
    install(replace(active(), attempts="events"))
    run(retry(PRICE).call(Script(1)))
    spans = recorded.spans()
    events = [event for span in spans for event in span.events]
    links = [link for span in spans for link in span.links]
    holders = [each.attributes or {} for each in spans]
    holders += [each.attributes or {} for each in (*events, *links)]
    attributes = {name for holder in holders for name in holder}
    assert attributes == set(semconv.ATTRIBUTES) - HTTP
    assert {event.name for event in events} == set(semconv.EVENTS)
    assert {span.name.split()[0] for span in spans} == {*semconv.PRIMITIVES}


def test_attribute_values_have_the_type_that_the_table_says(recorded: Recorded) -> None:
    """An int is never sent where a double is promised, or the other way round."""

    async def main() -> None:
        async with workflow("checkout", deadline=10), timeout(STOCK, 5), step(STOCK, name="sku"):
            policy = RetryPolicy(base_delay=1, jitter="none", max_retry_after=3)
            await retry(PRICE, policy).call(Script(OSError(), 1))
            await gather(PRICE, {"a": sleeper(0)})
            await cleanup(PRICE, sleeper(1), timeout=2)
            async with timeout(PRICE, 2):
                await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        run(main())
    for span in recorded.spans():
        for attributes in (span.attributes, *(event.attributes for event in span.events)):
            for name, value in (attributes or {}).items():
                check_type(name, value)


def test_every_metric_of_the_table_is_registered_as_it_says(recorded: Recorded) -> None:
    """Name, type, labels, help and buckets."""
    families = {family.name: family for family in recorded.registry.collect()}
    assert set(families) == set(semconv.METRICS)
    for name, metric in semconv.METRICS.items():
        check_family(families[name], metric)


def test_the_number_of_series_of_one_label_set() -> None:
    """Buckets, +Inf, sum and count."""
    assert semconv.OPERATION_DURATION.series_per_label_set == 16
    assert semconv.ATTEMPTS.series_per_label_set == 1


def test_names_that_conventions_define_are_followed_to_the_letter() -> None:
    """From OpenTelemetry's own tables."""
    from opentelemetry.semconv.attributes import error_attributes, exception_attributes, http_attributes

    assert semconv.ERROR_TYPE == error_attributes.ERROR_TYPE
    assert semconv.EXCEPTION_STACKTRACE == exception_attributes.EXCEPTION_STACKTRACE
    assert semconv.EXCEPTION_TYPE == exception_attributes.EXCEPTION_TYPE
    assert semconv.EXCEPTION_MESSAGE == exception_attributes.EXCEPTION_MESSAGE
    assert semconv.HTTP_ROUTE == http_attributes.HTTP_ROUTE
    assert semconv.HTTP_REQUEST_METHOD == http_attributes.HTTP_REQUEST_METHOD
    assert semconv.HTTP_RESPONSE_STATUS_CODE == http_attributes.HTTP_RESPONSE_STATUS_CODE


def test_a_cancel_requested_event_has_the_time_of_the_request(recorded: Recorded) -> None:
    """Not that of its arrival, where the two differ."""

    async def shielded() -> None:
        async with step(PRICE):
            await asyncio.sleep(1)
            inner = asyncio.ensure_future(asyncio.sleep(60))
            try:
                await asyncio.shield(inner)
            finally:
                inner.cancel()
                await asyncio.wait([inner])
                await asyncio.sleep(1)

    async def main() -> None:
        running = asyncio.create_task(shielded())
        await asyncio.sleep(2)
        request_cancel(running, "shutdown")
        await asyncio.wait([running])

    run(main())
    assert "! resilience.cancel.requested [2]" in recorded.tree()
    assert "task price [0..3]" in recorded.tree()
