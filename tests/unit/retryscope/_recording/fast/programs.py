"""Programs of primitives and other people's spans, generated, and what each recorder makes of them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags, TraceState

from retryscope import RetryPolicy, cancellable, cleanup, gather, retry, step, timeout, workflow
from retryscope.semconv import SCOPE_NAME
from tests.support.clock import run
from tests.support.recorded import recording
from tests.unit.retryscope.helpers import PRICE, STOCK, only_declared


class TroubleError(Exception):
    """What the programs raise."""


class CountedIds(IdGenerator):
    """The same ids in every run, spread so that a ratio takes some and leaves some."""

    def __init__(self, random: bool) -> None:
        self._random = random
        self._made = 0

    def _next(self, bits: int) -> int:
        self._made += 1
        return (self._made * 0x9E3779B97F4A7C15F39CC0605CEDC835) % (1 << bits) or 1

    def generate_span_id(self) -> int:
        return self._next(64)

    def generate_trace_id(self) -> int:
        return self._next(128)

    def is_trace_id_random(self) -> bool:
        return self._random


class ByName(Sampler):
    """Drops attempts, only records waits, and adds an attribute and a state to the rest."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        decision = Decision.RECORD_AND_SAMPLE
        if name.startswith("attempt"):
            decision = Decision.DROP
        elif name.startswith("backoff"):
            decision = Decision.RECORD_ONLY
        return SamplingResult(decision, {**(attributes or {}), "sampled.by": name}, TraceState([("s", "1")]))

    def get_description(self) -> str:
        return "by name"


SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "on": lambda: ALWAYS_ON,
    "off": lambda: ALWAYS_OFF,
    "parent on": lambda: ParentBased(ALWAYS_ON),
    "parent off": lambda: ParentBased(ALWAYS_OFF),
    "parent ratio": lambda: ParentBased(TraceIdRatioBased(0.5)),
    "ratio": lambda: TraceIdRatioBased(0.5),
    "remote off": lambda: ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF),
    "by name": ByName,
}

Body = Callable[[trace.Tracer], Any]


@dataclass(frozen=True)
class Node:
    """A statement of a program: what it is, its values, and what is inside it."""

    kind: str
    values: tuple[Any, ...] = ()
    inside: "tuple[Node, ...]" = ()


keys = st.sampled_from(["user", "resilience.outcome", "resilience.operation", "ключ", ""])
values = st.one_of(
    st.text(max_size=8),
    st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 1.0, -0.0, True, False]),
    st.floats(allow_nan=False),
    st.lists(st.integers(0, 9), max_size=2),
    st.sampled_from(["x" * 64, "x" * 65, "x" * 200, "x" * 5000, b"\x00\xff"]),
)
attributes = st.dictionaries(keys, values, max_size=4)

touches = st.one_of(
    st.builds(Node, st.just("set"), st.tuples(keys, values)),
    st.builds(Node, st.just("set all"), st.tuples(attributes)),
    st.builds(
        Node, st.just("event"), st.tuples(st.sampled_from(["e", "été"]), attributes, st.integers(0, 2**40))
    ),
    st.builds(Node, st.just("link"), st.tuples(st.booleans(), attributes)),
    st.builds(
        Node, st.just("status"), st.tuples(st.sampled_from(list(StatusCode)), st.none() | st.text(max_size=9))
    ),
    st.builds(Node, st.just("rename"), st.tuples(st.sampled_from(["mine", "名" * 50]))),
    st.builds(Node, st.just("end"), st.tuples(st.integers(1, 2**40))),
    st.just(Node("raise")),
    st.just(Node("sleep")),
)


texts = st.dictionaries(st.sampled_from(["user", "resilience.outcome"]), values, max_size=2)
blocks = st.one_of(
    st.sampled_from([("step", ()), ("cleanup", ()), ("cancelled", ()), ("task", ())]),
    st.tuples(st.just("workflow"), st.tuples(texts)),
    st.tuples(st.just("retry"), st.tuples(st.integers(0, 3))),
    st.tuples(st.just("timeout"), st.tuples(st.sampled_from([0.5, 60.0]))),
    st.tuples(st.just("gather"), st.tuples(st.booleans())),
    st.tuples(st.just("other span"), st.tuples(attributes)),
    st.tuples(st.just("remote"), st.tuples(st.booleans(), st.booleans())),
)


def _around(inside: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    # Once each: a strategy's repr() shows all that it is made of.
    return st.builds(
        lambda block, nodes: Node(block[0], block[1], tuple(nodes)),
        blocks,
        st.lists(inside, min_size=1, max_size=3),
    )


programs = st.lists(st.recursive(touches, _around, max_leaves=12), min_size=1, max_size=3).map(tuple)

limits: st.SearchStrategy[dict[str, int | None]] = st.builds(
    dict,
    max_span_attributes=st.sampled_from([None, 0, 1, 3, 128]),
    max_events=st.sampled_from([None, 0, 1, 128]),
    max_links=st.sampled_from([None, 0, 1]),
    max_event_attributes=st.sampled_from([None, 0, 2]),
    max_link_attributes=st.sampled_from([None, 0, 1]),
    max_attribute_length=st.sampled_from([None, 0, 3, 100]),
    max_span_attribute_length=st.sampled_from([None, 5]),
)


async def _all(nodes: tuple[Node, ...], tracer: trace.Tracer) -> None:
    for node in nodes:
        await _one(node, tracer)


async def _one(node: Node, tracer: trace.Tracer) -> None:
    def inside() -> Any:
        return _all(node.inside, tracer)

    if not node.inside:
        await _touch(node)
        return
    with suppress(TroubleError, TimeoutError, ExceptionGroup):
        match node.kind:
            case "step":
                async with step(PRICE):
                    await inside()
            case "workflow":
                async with workflow("checkout", attributes=node.values[0]):
                    await inside()
            case "retry":
                failures = [TroubleError("busy") for _ in range(node.values[0])]

                async def flaky() -> None:
                    await inside()
                    if failures:
                        raise failures.pop()

                await retry(PRICE, RetryPolicy(max_attempts=3, base_delay=1, jitter="none")).call(flaky)
            case "timeout":
                async with timeout(STOCK, node.values[0]):
                    await inside()
                    await asyncio.sleep(1)
            case "gather":
                calls = {str(i): lambda each=each: _one(each, tracer) for i, each in enumerate(node.inside)}
                await gather(STOCK, calls, fail_fast=node.values[0])
            case "cleanup":
                await cleanup(PRICE, inside)
            case "cancelled":
                running = cancellable(STOCK, asyncio.sleep, 60, on_cancel=inside)
                await asyncio.sleep(1)
                running.cancel()
                await asyncio.wait([running.task])
            case "other span":
                with tracer.start_as_current_span("other", attributes=node.values[0], record_exception=False):
                    await inside()
            case "task":
                await asyncio.create_task(inside())
            case "remote":
                sampled, state = node.values
                outer = SpanContext(
                    0xABCDEF,
                    0x123,
                    is_remote=True,
                    trace_flags=TraceFlags(int(sampled)),
                    trace_state=TraceState([("v", "1")]) if state else None,
                )
                attach(trace.set_span_in_context(trace.NonRecordingSpan(outer)))
                await inside()


async def _touch(node: Node) -> None:
    span = trace.get_current_span()
    match node.kind:
        case "set":
            span.set_attribute(*node.values)
        case "set all":
            span.set_attributes(*node.values)
        case "event":
            span.add_event(*node.values)
        case "link":
            remote, pairs = node.values
            span.add_link(SpanContext(7, 8, is_remote=remote), pairs)
        case "status":
            span.set_status(*node.values)
        case "rename":
            span.update_name(*node.values)
        case "end":
            span.end(*node.values)
        case "raise":
            raise TroubleError("an error")
        case "sleep":
            await asyncio.sleep(2)


@dataclass
class Kept(SpanProcessor):
    """What a processor sees: names and attributes at the start, spans at the end."""

    starts: list[object] = field(default_factory=list)
    ends: list[ReadableSpan] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.starts.append((span.name, dict(span.attributes or {}), span.get_span_context(), span.parent))

    def on_end(self, span: ReadableSpan) -> None:
        self.ends.append(span)
        self.texts.append(shown(span))


def shown(span: ReadableSpan) -> str:
    """All that a reader of a span sees; those of others begin and end by the machine's clock."""
    return repr(
        (
            span.name,
            span.kind,
            span.context,
            span.parent,
            (span.start_time, span.end_time) if is_ours(span) else None,
            list((span.attributes or {}).items()),
            [(each.name, each.timestamp, list((each.attributes or {}).items())) for each in span.events],
            [each.dropped_attributes for each in span.events],
            [(each.context, list((each.attributes or {}).items())) for each in span.links],
            [each.dropped_attributes for each in span.links],
            (span.status.status_code, span.status.description),
            (span.dropped_attributes, span.dropped_events, span.dropped_links),
            (span.resource.to_json(), span.instrumentation_scope),
        )
    )


def is_ours(span: ReadableSpan) -> bool:
    """Whether a primitive has made it, with whatever recorder."""
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE_NAME


def kept_of(
    program: tuple[Node, ...],
    recorder: str,
    *,
    sampler: str = "parent on",
    span_limits: dict[str, int | None] | None = None,
    attempts: str = "spans",
    random_ids: bool = True,
) -> Kept:
    """Run a program with one of the recorders."""
    kept = Kept()
    unset = {name: SpanLimits.UNSET if most is None else most for name, most in (span_limits or {}).items()}
    provider = TracerProvider(
        sampler=SAMPLERS[sampler](),
        id_generator=CountedIds(random_ids),
        span_limits=SpanLimits(**unset),
        resource=Resource({"service.name": "shop", "n": 5}, "https://schema"),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(kept)
    with only_declared(PRICE, STOCK), pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETRYSCOPE_RECORDER", recorder)
        with recording(provider=provider, attempts=attempts), suppress(TroubleError, ExceptionGroup):
            run(_all(program, provider.get_tracer("other", "1.0", "https://other")))
    return kept
