"""The real application behind a real socket, and a client that holds it to its OpenAPI document."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest.mock import patch
from urllib.parse import unquote

import pytest
from aiohttp import ClientSession, ClientTimeout
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from jsonschema import Draft202012Validator
from multidict import CIMultiDict, CIMultiDictProxy
from opentelemetry.sdk.trace import TracerProvider

import retryscope
from retryscope._recording.telemetry import install
from retryscope_service import semconv
from retryscope_service.api.openapi import DOCUMENTED, openapi_document
from retryscope_service.api.route import Resource, Route
from retryscope_service.api.web import WebRoutes
from retryscope_service.app import create_app
from retryscope_service.console.console import Console
from retryscope_service.monitor.monitor import Monitor
from retryscope_service.operations.operations import REAL, Operations
from retryscope_service.operations.task import Task
from retryscope_service.process import serve
from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.inline import InlineRuns
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.settings import Settings
from tests.support.clock import virtual_time_ns
from tests.support.recorded import Recorded, render_changes
from tests.support.signals import stop_signals_as_before

T = TypeVar("T")
HOST: Final = "retryscope.test"
"""What clients here ask for: the port of the server would be another one each time."""
DOCUMENT: Final = openapi_document(version("retryscope"))
RESOURCES: Final[tuple[type[Resource], ...]] = (*DOCUMENTED, WebRoutes)
ROUTES: Final[tuple[Route, ...]] = tuple(route for each in RESOURCES for route in each.ROUTES)
"""Every route of the service, as it is declared."""
PROBLEM: Final = "application/problem+json"
NOT_BUILT: Final = Path("/nowhere")
"""Where the page would be; whether this checkout has a built one must not matter to a test."""
NO_MORE: Final = 1000.0
"""Virtual seconds after which nothing that a test started can still run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    def json(self) -> Any:
        return json.loads(self.body, parse_constant=_no_json)


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@dataclass(slots=True)
class Observed:
    """A run's answer, if it got one, and all that its telemetry says."""

    request: str
    answer: Answer | None = None
    tree: str = ""
    changes: str = ""

    @property
    def text(self) -> str:
        """All of it, as the files in ``workflows/specifications`` have it."""
        answer = "no answer: the client has gone\n" if self.answer is None else render_answer(self.answer)
        return f"{self.request}\n\n{answer}\nTRACE\n{self.tree}\nMETRICS\n{self.changes}"


@contextmanager
def observing(recorded: Recorded, workflow: str, params: Mapping[str, Any]) -> Iterator[Observed]:
    """Fill in what the telemetry says of one run, and of nothing before it or beside it."""
    observed = Observed(f"POST /workflows/{workflow} {json.dumps(params)}")
    recorded.log.clear()
    with recorded.changes() as changes:
        yield observed
    observed.tree = recorded.tree(kinds=True)
    beside = semconv.EVENT_LOOP_LAG.name
    observed.changes = render_changes(
        {name: by for name, by in changes.items() if not name.startswith(beside)}
    )


def render_answer(answer: Answer) -> str:
    """Status, content type and members, a line each; the id of the trace is another one each time."""
    lines = [f"{answer.status} {answer.content_type}"]
    for name, value in answer.json().items():
        if name == "trace_id":
            value = "TRACE_ID" if value == answer.headers["X-Trace-Id"] else value
        if name == "tasks":
            lines += ["  tasks:", *(f"    {json.dumps(task)}" for task in value)]
        else:
            lines.append(f"  {name}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


class Api:
    """The service, and calls to it."""

    def __init__(
        self,
        runs: InlineRuns,
        client: TestClient[Request, Application],
        recorded: Recorded,
        console: Console,
    ) -> None:
        self.runs = runs
        self.client = client
        self.recorded = recorded
        self.console = console

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, with ``body`` as JSON or ``content`` as it is; the answer is as documented."""
        sent = {"Host": HOST, "User-Agent": "test", **(headers or {})}
        if body is not None:
            content = json.dumps(body)
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.client.request(method, path, data=content, headers=sent) as response:
            answer = Answer(response.status, response.headers, await response.read())
        check_documented(method, path.partition("?")[0], answer)
        return answer

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, headers=headers)

    async def run(self, workflow: str, **params: Any) -> Answer:
        return await self.call("POST", f"/workflows/{workflow}", params)

    async def observe(self, workflow: str, **params: Any) -> Observed:
        """Run a workflow; what is observed is this run's alone."""
        with observing(self.recorded, workflow, params) as observed:
            observed.answer = await self.run(workflow, **params)
        return observed

    async def observe_hang_up(self, workflow: str, after: float, **params: Any) -> Observed:
        """Ask for a run, close the connection ``after`` seconds, and wait until all has ended."""
        with observing(self.recorded, workflow, params) as observed:
            await self.hang_up(workflow, after, params)
        return observed

    async def hang_up(
        self, workflow: str, after: float, params: dict[str, Any], *, alone: bool = True
    ) -> None:
        """As ``observe_hang_up``, where not ``alone`` among other runs."""
        body = json.dumps(params)
        head = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        _, writer = await self._send(f"POST /workflows/{workflow} HTTP/1.1", *head, body=body)
        await asyncio.sleep(after)
        assert self.runs.in_flight == 1 or not alone
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(NO_MORE)
        assert self.runs.in_flight == 0

    async def raw(self, *head: str) -> Answer:
        """Send a request that the client would refuse to send."""
        reader, writer = await self._send(*head, "Connection: close")
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
        status, _, rest = received.partition(b"\r\n")
        fields, _, body = rest.partition(b"\r\n\r\n")
        headers: CIMultiDict[str] = CIMultiDict()
        for line in fields.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            headers.add(name, value)
        return Answer(int(status.split()[1]), CIMultiDictProxy(headers), body)

    async def _send(self, *head: str, body: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self.client.host, self.client.port)
        fields = (f"Host: {HOST}", "User-Agent: test", "", body)
        writer.write("\r\n".join([*head, *fields]).encode())
        return reader, writer


@dataclass(frozen=True, slots=True)
class Served:
    """A running ``retryscope serve``."""

    serving: asyncio.Task[None]
    url: str
    session: ClientSession
    recorded: Recorded

    async def run(self, workflow: str, **params: Any) -> Answer:
        async with self.session.post(f"/workflows/{workflow}", json=params) as response:
            return Answer(response.status, response.headers, await response.read())


class StandIn:
    """A dependency in virtual time, which no socket and no thread keeps up with."""

    errors: tuple[type[Exception], ...] = (ConnectionError,)

    async def __call__(self, task: Task, params: object) -> str:
        await asyncio.sleep(task.seconds)
        if task.fails():
            raise ConnectionResetError("a failure was drawn")
        return task.name

    def is_transient(self, error: Exception) -> bool:
        return isinstance(error, ConnectionError)

    def check(self, params: object) -> None:
        """Whatever is valid may be performed."""


@asynccontextmanager
async def serving(
    recorded: Recorded,
    console: Console,
    background: BackgroundRuns | None = None,
    dist: Path = NOT_BUILT,
    operations: Operations | None = None,
    **settings: Any,
) -> AsyncIterator[Api]:
    """Serve the application with these settings; with an engine on a real loop, with real threads."""
    if background is None:
        asyncio.get_running_loop().set_default_executor(InlineExecutor())
    with (
        patch(
            "retryscope_service.app.openapi_document", return_value=DOCUMENT
        ),  # it takes longer than most tests
        patch("retryscope_service.app.DIST", dist),
    ):
        given = Settings(**{"allowed_hosts": HOST, **settings})
        given_operations = operations or Operations({kind: StandIn() for kind in REAL})
        inline = InlineRuns(given.max_runs_in_flight, given_operations)
        given_background = background or _no_background(recorded)
        monitor = Monitor(recorded.registry, console.hub.publish, given.token)
        app = create_app(
            given, console, monitor, inline, given_background, given_operations, recorded.registry
        )
    server = TestServer(app)
    await server.start_server(auto_decompress=False)  # as the listener does
    async with TestClient(server, timeout=ClientTimeout(total=None)) as client:
        yield Api(inline, client, recorded, console)


def _no_background(recorded: Recorded) -> BackgroundRuns:
    """An engine that nobody has started: virtual time and its threads don't go together."""
    engine = Engine("memory://", connections=1, redelivery_seconds=1)
    metrics = RunMetrics(recorded.registry)
    return BackgroundRuns(engine, RunStore(engine), metrics, limit=1, retention=1)


class InlineExecutor(ThreadPoolExecutor):
    """Runs everything at once: virtual time does not wait for threads."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def check_documented(method: str, path: str, answer: Answer) -> None:
    """The answer is one that the OpenAPI document describes; an error is a problem document in any case."""
    if answer.status >= 400 and method != "HEAD":
        problem = answer.json()
        assert answer.content_type == PROBLEM
        assert problem["type"].startswith("urn:retryscope:problem:")
        assert problem["status"] == answer.status
        assert problem["title"]
        assert problem["detail"]
        assert unquote(problem["instance"]) == unquote(path)
        check_schema({"$ref": "#/components/schemas/Problem"}, problem)
    operation = documented_operation(method, path)
    if operation is None:
        return
    status = "default" if answer.status == 500 else str(answer.status)
    assert status in operation["responses"], f"{method} {path} answers {answer.status}"
    if answer.status == 204:
        assert (answer.body, "content" in operation["responses"]["204"]) == (b"", False)
        return
    content = operation["responses"][status]["content"]
    assert answer.content_type in content
    if answer.content_type.endswith("json"):
        check_schema(content[answer.content_type]["schema"], answer.json())


def check_schema(schema: Mapping[str, Any], value: object) -> None:
    """Validate against a schema that may refer to the components of the OpenAPI document."""
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def check_event(name: str, data: object) -> None:
    """Validate what an event of the page's stream says."""
    check_schema({"$ref": f"#/components/schemas/StreamEvents/properties/{name}"}, data)


def documented_operation(method: str, path: str) -> dict[str, Any] | None:
    """What the OpenAPI document says about a call."""
    for template, methods in DOCUMENT["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in methods:
            operation: dict[str, Any] = methods[method.lower()]
            return operation
    return None


@asynccontextmanager
async def served(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Served]:
    """``retryscope serve`` as it is, signals included, in this process; telemetry goes into memory."""
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    recorded = Recorded()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(recorded.log)
    setup = partial(
        retryscope.setup,
        tracer_provider=provider,
        time_ns=virtual_time_ns,
    )
    monkeypatch.setattr(retryscope, "setup", setup)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            Settings(**{"port": 0, "allowed_hosts": HOST, **settings}),
            lambda url, _: ready.set_result(url),
            with_worker=False,
            registry=recorded.registry,
        )
    )
    with stop_signals_as_before():
        try:
            url = await announced(ready, serving)
            async with ClientSession(url, headers={"Host": HOST, "User-Agent": "test"}) as session:
                yield Served(serving, url, session, recorded)
            await serving
        finally:
            serving.cancel()
            install(None)


async def announced(ready: "asyncio.Future[T]", serving: "asyncio.Task[None]") -> T:
    """What a process says when it is ready; where it ends before that, what went wrong."""
    await asyncio.wait((ready, serving), return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        await serving
        raise AssertionError("it ended before it was ready")
    return ready.result()
