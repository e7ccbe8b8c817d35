"""Operations and callables that these tests share."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from prometheus_client import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from retryscope import Operation, operation
from tests.support.recorded import Recorded

PRICE = Operation("price", workflow="checkout")
STOCK = Operation("stock", workflow="checkout")


@contextmanager
def only_declared(*operations: Operation) -> Iterator[None]:
    """Hide the operations of other tests.

    Each example of a property has a registry of its own, which all their series would slow down.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operation, "_declared", {(each.workflow, each.name): each for each in operations})
        yield


class Script:
    """An async callable that plays a list of answers: an exception is raised, anything else returned."""

    def __init__(self, *answers: object, takes: float = 0.0) -> None:
        self._answers: Iterator[object] = iter(answers)
        self._takes = takes
        self.calls = 0

    async def __call__(self) -> object:
        self.calls += 1
        if self._takes:
            await asyncio.sleep(self._takes)
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def sleeper(seconds: float, value: Any = None) -> Callable[[], Any]:
    """An async function that sleeps and returns."""

    async def sleep() -> Any:
        return await asyncio.sleep(seconds, value)

    return sleep


def failer(error: BaseException, after: float = 0.0) -> Callable[[], Any]:
    """An async function that sleeps and raises."""

    async def fail() -> Any:
        await asyncio.sleep(after)
        raise error

    return fail


def trace_id(span: ReadableSpan) -> str:
    """As in headers, logs and exemplars."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    """As in logs and exemplars."""
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def named(recorded: Recorded, name: str) -> ReadableSpan:
    """The only span of that name."""
    (span,) = spans_named(recorded, name)
    return span


def spans_named(recorded: Recorded, name: str) -> list[ReadableSpan]:
    """All spans of that name, in the order in which they started."""
    return [span for span in recorded.spans() if span.name == name]


def attribute(recorded: Recorded, name: str, key: str) -> object:
    """An attribute of the only span of that name; None if it lacks it."""
    return (named(recorded, name).attributes or {}).get(key)


def value_of(recorded: Recorded, name: str, **labels: str) -> float:
    """The sum of all series of that sample name which have these labels."""
    return sum(
        value
        for (sample, content), value in recorded.samples().items()
        if sample == name and labels.items() <= dict(content).items()
    )


def openmetrics(recorded: Recorded) -> str:
    """What a scrape that accepts OpenMetrics gets."""
    text: bytes = generate_latest(recorded.registry)  # type: ignore[no-untyped-call]
    return text.decode()


def openmetrics_families(recorded: Recorded) -> list[Metric]:
    """The same, parsed."""
    return list(text_string_to_metric_families(openmetrics(recorded)))  # type: ignore[no-untyped-call]
