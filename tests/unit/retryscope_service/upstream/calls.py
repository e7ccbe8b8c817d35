"""An upstream that listens, a client that calls it, and what its telemetry says afterwards."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse, ClientSession
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client import CollectorRegistry

from retryscope_service import semconv
from retryscope_service.http.listener import listening
from retryscope_service.upstream.app import create_upstream_app
from retryscope_service.upstream.faults import Faults
from retryscope_service.upstream.upstream import Upstream
from tests.support.names import check_type
from tests.support.recorded import SpanLog

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


class Called:
    """The upstream, calls to it, and what it says of them."""

    def __init__(
        self, upstream: Upstream, session: ClientSession, log: SpanLog, registry: CollectorRegistry
    ) -> None:
        self.upstream = upstream
        self.session = session
        self.log = log
        self.registry = registry

    async def call(self, path: str = "/job", method: str = "GET", **options: Any) -> Answer:
        async with self.session.request(method, path, **options) as response:
            return await _read(response)

    async def put_faults(self, **faults: Any) -> Answer:
        return await self.call("/faults", "PUT", json=faults, headers=AUTHORIZED)

    def span(self) -> ReadableSpan:
        """The only span that has ended."""
        (span,) = self.log.ended
        for name, value in (span.attributes or {}).items():
            check_type(name, value)
        return span

    def told(self) -> dict[str, Any]:
        """What that span says beside what all have: status, fault, outcome."""
        common = ("http.request.", "http.route", "url.", "network.", "server.", "client.", "user_agent.")
        attributes = self.span().attributes or {}
        said = {name: value for name, value in attributes.items() if not name.startswith(common)}
        return {**said, "status": self.span().status.status_code.name}

    def parent(self) -> tuple[str, str]:
        """The trace and the parent of that span."""
        span = self.span()
        assert span.parent is not None
        return format_trace_id(span.parent.trace_id), format_span_id(span.parent.span_id)

    def counted(self) -> dict[tuple[str, str, str], float]:
        """How many requests were counted, by route, status and fault."""
        return {
            (sample.labels["route"], sample.labels["status"], sample.labels["fault"]): sample.value
            for family in self.registry.collect()
            if family.name == semconv.UPSTREAM_REQUESTS.name
            for sample in family.samples
            if sample.value
        }


async def _read(response: ClientResponse) -> Answer:
    return Answer(response.status, response.headers, (await response.read()).decode())


def always(fault: str) -> dict[str, Any]:
    """Faults that do that to every request."""
    return {fault: 1}


@asynccontextmanager
async def calling(*, local: bool = True, **faults: Any) -> AsyncIterator[Called]:
    """An upstream with these faults on a free port."""
    upstream, log, registry = Upstream(Faults(**faults)), SpanLog(), CollectorRegistry()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(log)
    tracer = provider.get_tracer("test")
    app = create_upstream_app(upstream, TOKEN, registry, local=local, tracer=tracer)
    async with listening(app, "127.0.0.1", 0, 100) as url, ClientSession(url) as session:
        session._retry_connection = False  # else it sends each GET that got no answer once more
        yield Called(upstream, session, log, registry)
