"""P13: what the page adds to a span: traces that are kept, and runs that are counted from their spans.

A run is a workflow with ten operations at once, every fifth of which fails once, as in a workflow of the
service. It is measured three times: with telemetry that counts and records no spans, with spans that go
nowhere, and with the span processors that ``serve`` adds. A span is the difference of the first two, the page
that of the last two. All that waits is worked out before the clock stops, and the store is full.
"""

import asyncio
import gc
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from opentelemetry.sdk.trace import SpanProcessor
from prometheus_client import CollectorRegistry

import retryscope
from retryscope_service.console.console import Console
from retryscope_service.runs.events import RunEvents
from retryscope_service.traces.span_store import SpanStore

from .goals import Goal
from .receiver import Receiver
from .result import Column, Result
from .rounds import Rounds, Sample, interleave
from .variants.operation import FETCH, SPANS_OF_A_RETRY, SPANS_OF_A_SUCCESS
from .workload import FlakyServer, call_concurrently

_CALLERS = 10
_FAIL_EVERY = 5
_SPANS = 1 + _CALLERS // _FAIL_EVERY * (SPANS_OF_A_RETRY + 4 * SPANS_OF_A_SUCCESS)
"""Of a run: the workflow's, and those of its operations."""


@dataclass(frozen=True, slots=True)
class Size:
    """Runs of a sample, one after the other, and traces that are kept."""

    runs: int = 300
    traces: int = 500


@contextmanager
def _telemetry(registry: CollectorRegistry, *processors: SpanProcessor, off: bool = False) -> Iterator[None]:
    with patch.dict(os.environ, {"OTEL_SDK_DISABLED": str(off).lower()}):
        retryscope.setup(registry=registry, span_processors=processors)
    try:
        yield
    finally:
        retryscope.shutdown()


async def _run(runs: int) -> None:
    policy = retryscope.RetryPolicy(base_delay=0.0, backoff_factor=1, jitter="none")
    for _ in range(runs):
        call = retryscope.retry(FETCH, policy)(FlakyServer(_FAIL_EVERY).fetch)
        async with retryscope.workflow("benchmark"):
            await call_concurrently(call, callers=_CALLERS, calls_each=1)


def measure(
    receiver: Receiver,  # noqa: ARG001 - nothing is exported
    *,
    rounds: int,
    rng: random.Random,
    size: Size | None = None,
) -> Result:
    size = size or Size()
    console = Console(SpanStore(size.traces, max_spans=200_000))
    page: dict[str, tuple[SpanProcessor, ...]] = {"off": (), "spans": (), "page": (console.feed, RunEvents())}
    registry = CollectorRegistry()

    def sample(variant: str, runs: int = size.runs) -> Sample:
        with _telemetry(registry, *page[variant], off=variant == "off"):
            gc.collect()
            started = time.process_time()
            asyncio.run(_run(runs))
            known = console.spans.span_count
            seconds = time.process_time() - started
        assert (known > 0) >= (variant == "page")
        return {"cpu": seconds / (runs * _SPANS)}

    for variant in page:
        sample(variant, size.traces + size.runs)
    taken = interleave(page, sample, rounds=rounds, rng=rng)
    added = Rounds(
        [
            {
                "span": {"cpu": each["spans"]["cpu"] - each["off"]["cpu"]},
                "page": {"cpu": each["page"]["cpu"] - each["spans"]["cpu"]},
            }
            for each in taken.samples
        ]
    )
    return Result(
        title=f"P13  what the page adds to each of {_SPANS} spans of a run",
        variants=tuple(page),
        columns=(Column("cpu", "CPU us/span", ("off", "spans"), scale=1e6),),
        rounds=taken,
        goals=(
            Goal.of_ratio(
                "P13", "what the page adds to a span, to the span", added.ratio("page", "span", "cpu"), 1.0
            ),
        ),
        notes=(f"a span: {_us(added, 'span')} us; the page: {_us(added, 'page')} us more",),
    )


def _us(taken: Rounds, variant: str) -> str:
    return f"{1e6 * taken.median(variant, 'cpu'):.1f}"
