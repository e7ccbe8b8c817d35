"""``http.request.resend_count`` on the spans of an HTTP client below an attempt."""

import asyncio
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

import retryscope
from retryscope import ResendCount, RetryPolicy, cleanup, retry, semconv, step
from tests.support.clock import run
from tests.support.recorded import Recorded, SpanLog, recording
from tests.unit.retryscope.helpers import PRICE, STOCK

POLICY = RetryPolicy(max_attempts=3, base_delay=1, attempt_timeout=50)
METHOD = {"http.request.method": "GET"}


def counts(recorded: Recorded, name: str = "GET") -> list[Any]:
    """The attribute of each span of that name, in the order of their starts."""
    return [
        (span.attributes or {}).get(semconv.HTTP_RESEND_COUNT)
        for span in recorded.spans()
        if span.name == name
    ]


def send(
    provider: TracerProvider, kind: SpanKind = SpanKind.CLIENT, attributes: dict[str, Any] = METHOD
) -> None:
    """What an instrumentation of an HTTP client does."""
    provider.get_tracer("client").start_span("GET", kind=kind, attributes=attributes).end()


def calling(provider: TracerProvider, failures: int = 2, **options: Any) -> Any:
    """An async function that sends a request, and fails so many times."""
    left = iter(range(failures))

    async def call() -> None:
        send(provider, **options)
        await asyncio.sleep(1)
        if next(left, None) is not None:
            raise OSError

    return call


@pytest.fixture(params=["spans", "events"])
def client(request: pytest.FixtureRequest) -> Any:
    """Telemetry whose provider belongs to the user, and that provider."""
    provider = TracerProvider(shutdown_on_exit=False)
    with recording(provider=provider, span_processors=[ResendCount()], attempts=request.param) as recorded:
        yield recorded, provider


def test_a_request_of_a_later_attempt_says_how_often_it_was_sent_before(client: Any) -> None:
    """The ordinal of the resending; nothing on the first request."""
    recorded, provider = client
    run(retry(PRICE, POLICY).call(calling(provider)))
    assert counts(recorded) == [None, 1, 2]


@pytest.mark.parametrize(
    "options",
    [{"kind": SpanKind.INTERNAL}, {"kind": SpanKind.SERVER}, {"attributes": {"db.system.name": "sqlite"}}],
)
def test_what_is_no_request_of_an_http_client_is_left_alone(client: Any, options: dict[str, Any]) -> None:
    recorded, provider = client
    run(retry(PRICE, POLICY).call(calling(provider, **options)))
    assert counts(recorded) == [None, None, None]


def test_the_old_name_of_the_method_tells_an_http_span_too(client: Any) -> None:
    recorded, provider = client
    run(retry(PRICE, POLICY).call(calling(provider, attributes={"http.method": "GET"})))
    assert counts(recorded) == [None, 1, 2]


def test_a_client_that_counts_for_itself_is_believed(client: Any) -> None:
    """A redirect is a resending, too."""
    recorded, provider = client
    run(retry(PRICE, POLICY).call(calling(provider, attributes={**METHOD, semconv.HTTP_RESEND_COUNT: 7})))
    assert counts(recorded) == [7, 7, 7]


def test_the_nearest_attempt_counts_wherever_the_request_is_made_below_it(client: Any) -> None:
    """In a task of its own, another operation, an inner retry; not in a cleanup, not outside."""
    recorded, provider = client

    async def call() -> None:
        call.number += 1  # type: ignore[attr-defined]
        async with step(STOCK), asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(send, provider))
        if call.number == 2:  # type: ignore[attr-defined]
            await retry(STOCK, POLICY).call(calling(provider, failures=1))
            await cleanup(STOCK, calling(provider, failures=0))
        raise ConnectionError

    async def main() -> None:
        call.number = 0  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            await retry(PRICE, POLICY).call(call)
        send(provider)

    run(main())
    assert counts(recorded) == [None, 1, None, 1, None, 2, None]


@pytest.mark.parametrize("limit", [None, 50.0])
def test_a_task_left_over_from_an_earlier_attempt_keeps_its_number(client: Any, limit: float | None) -> None:
    """Requests of a hedge that goes on are not resent by the attempts after it."""
    recorded, provider = client
    left_over: list[asyncio.Task[None]] = []

    async def late() -> None:
        await asyncio.sleep(5)
        send(provider)

    async def call() -> None:
        if not left_over:
            left_over.append(asyncio.create_task(late()))
            raise OSError
        await asyncio.sleep(10)

    run(retry(PRICE, RetryPolicy(base_delay=1, attempt_timeout=limit)).call(call))
    assert counts(recorded) == [None]


def test_the_provider_that_setup_makes_counts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    log = SpanLog()
    retryscope.setup(registry=Recorded().registry, span_processors=[log])
    try:
        provider = trace.get_tracer_provider()
        assert isinstance(provider, TracerProvider)
        run(retry(PRICE, POLICY).call(calling(provider)))
    finally:
        retryscope.shutdown()
    sent = [span for span in log.ended if span.name == "GET"]
    assert [(span.attributes or {}).get(semconv.HTTP_RESEND_COUNT) for span in sent] == [None, 1, 2]
