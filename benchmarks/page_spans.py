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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final
from unittest.mock import patch

from opentelemetry.sdk.trace import SpanProcessor
from prometheus_client import CollectorRegistry

import retryscope
from retryscope_service.console.console import Console
from retryscope_service.runs.events import RunEvents
from retryscope_service.traces.span_store import SpanStore

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Rounds, Sample, interleave
from .variants.operation import FETCH, SPANS_OF_A_RETRY, SPANS_OF_A_SUCCESS
from .workload import FlakyServer, call_concurrently

_VARIANTS: Final = ("off", "spans", "page")
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


@contextmanager
def open_work(variant: str, size: dict[str, int]) -> Iterator[Callable[[], Sample]]:
    small = Size(**size)
    console = Console(SpanStore(small.traces, max_spans=200_000))
    page: dict[str, tuple[SpanProcessor, ...]] = {"off": (), "spans": (), "page": (console.feed, RunEvents())}
    registry = CollectorRegistry()

    def sample(runs: int = small.runs) -> Sample:
        with _telemetry(registry, *page[variant], off=variant == "off"):
            gc.collect()
            started = time.process_time()
            asyncio.run(_run(runs))
            known = console.spans.span_count
            seconds = time.process_time() - started
        assert (known > 0) >= (variant == "page")
        return {"cpu": seconds / (runs * _SPANS)}

    sample(small.traces + small.runs)
    yield sample


def measure(
    receiver: Receiver,  # noqa: ARG001 - nothing is exported
    *,
    rounds: int,
    rng: random.Random,
    size: Size | None = None,
) -> Result:
    size = size or Size()
    tasks = {variant: {"variant": variant, "size": asdict(size)} for variant in _VARIANTS}
    with child.running("benchmarks.page_spans", tasks) as ask:
        taken = interleave(_VARIANTS, lambda name: ask[name](), rounds=rounds, rng=rng)
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
        variants=_VARIANTS,
        columns=(Column("cpu", "CPU us/span", ("off", "spans"), scale=1e6),),
        rounds=taken,
        findings={"P13": Finding.of(added.ratio("page", "span", "cpu"))},
        notes=(f"a span: {_us(added, 'span')} us; the page: {_us(added, 'page')} us more",),
    )


def _us(taken: Rounds, variant: str) -> str:
    return f"{1e6 * taken.median(variant, 'cpu'):.1f}"
