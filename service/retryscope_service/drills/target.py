"""What drills are played against: a service and the upstream that it calls, over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from retryscope_service.drills.drill import Load
from retryscope_service.drills.evidence import Evidence, Samples, Span, read_samples, read_spans
from retryscope_service.printable import printable
from retryscope_service.upstream.faults import Faults

ANSWER_SECONDS: Final = 60.0
"""Most that any answer may take."""
IDLE_SECONDS: Final = 5.0
"""How long what runs has, after the last answer, to end; other traffic may never let it."""
TRACES: Final = 40
"""Of a phase, at most so many are looked at."""
_POLL_SECONDS: Final = 0.02
_SHOWN: Final = 300


class DrillError(Exception):
    """A drill can't be played; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service and its upstream are.

    Attributes:
        service: Base URL of the service.
        upstream: Base URL of the upstream that it calls.
        token: API token of the service; None: it has none.
        faults_token: Token of the upstream's ``/faults``.
    """

    service: str
    upstream: str
    token: str | None
    faults_token: str | None


class Target:
    """A service and its upstream.

    Args:
        session: To call them with.
        place: Where they are.
    """

    def __init__(self, session: aiohttp.ClientSession, place: Place) -> None:
        self._session = session
        self._place = place
        self.in_one_process = False

    @classmethod
    @asynccontextmanager
    async def open(cls, place: Place) -> AsyncIterator["Target"]:
        """A target that answers.

        Raises:
            DrillError: It does not, or it does not let us in.
        """
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            target = cls(session, place)
            await target._document("GET", "service", "/workflows")
            await target._document("GET", "upstream", "/faults")
            target.in_one_process = not await target._upstream_samples()
            yield target

    async def put_faults(self, faults: Faults) -> None:
        """Let the upstream do that to requests, from the next one on."""
        await self._call("PUT", "upstream", "/faults", faults.model_dump(exclude_none=True))

    async def observe(self, load: Load) -> Evidence:
        """Put a load on the service; what the telemetry says of it."""
        before = await self._samples()
        trace_ids = await self._run(load)
        await self._idle()
        after = await self._samples()
        traces = await asyncio.gather(*map(self._trace, trace_ids[-TRACES:]))
        return Evidence(before, after, traces, load.workflow)

    async def _run(self, load: Load) -> list[str]:
        """The ids of the traces of the runs, in the order of their ends."""
        seeds = iter(range(load.runs))
        found: list[str] = []

        async def keep_running() -> None:
            for seed in seeds:
                body = {**load.params, "seed": seed}
                found.append(await self._run_once(load.workflow, body))

        try:
            async with asyncio.TaskGroup() as runners:
                for _ in range(load.at_once):
                    runners.create_task(keep_running())
        except ExceptionGroup as errors:  # of one cause
            raise errors.exceptions[0] from None
        return found

    async def _run_once(self, workflow: str, body: Mapping[str, Any]) -> str:
        """A run that fails has a trace too; what starts none is an error of the drill."""
        document = await self._document("POST", "service", f"/workflows/{workflow}", body, (502, 504))
        return str(document["trace_id"])

    async def _trace(self, trace_id: str) -> list[Span]:
        """Its spans; none where it is no longer kept: plain successes make room for the rest first."""
        found = await self._document("GET", "service", f"/traces/{trace_id}", expected=(404,))
        return list(read_spans(found)) if "resourceSpans" in found else []

    async def _samples(self) -> Samples:
        service = read_samples(await self._call("GET", "service", "/metrics"))
        return service if self.in_one_process else {**service, **await self._upstream_samples()}

    async def _upstream_samples(self) -> Samples:
        """Of an upstream that is a process of its own; else there are none, and they are the service's."""
        text = await self._call("GET", "upstream", "/metrics", expected=(404,))
        found = {} if text.startswith("{") else read_samples(text)
        return {key: value for key, value in found.items() if key[0].startswith("retryscope_upstream_")}

    async def _idle(self) -> None:
        """Wait until nothing runs: counts and spans come with the end."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                while await self._in_flight():  # noqa: ASYNC110 - of other processes
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            pass

    async def _in_flight(self) -> int:
        service = await self._document("GET", "service", "/health/ready")
        upstream = await self._document("GET", "upstream", "/health/ready")
        return int(service["runs_in_flight"]) + int(upstream["requests_in_flight"])

    async def _document(
        self, method: str, who: str, path: str, body: Any = None, expected: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """An answer that is a JSON object."""
        text = await self._call(method, who, path, body, expected)
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            url = getattr(self._place, who)
            raise DrillError(f"what answers {method} {path} at {url} is no {who}: {printable(text, _SHOWN)}")
        return document

    async def _call(
        self, method: str, who: str, path: str, body: Any = None, expected: tuple[int, ...] = ()
    ) -> str:
        """The text of an answer; ``expected`` are the statuses from 400 on that are answers too."""
        url = getattr(self._place, who)
        token = self._place.token if who == "service" else self._place.faults_token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            async with self._session.request(
                method, f"{url}{path}", json=body, headers=headers, allow_redirects=False
            ) as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = printable(str(error) or type(error).__name__, _SHOWN)
            raise DrillError(f"no {who} answers at {url}: {said}") from None
        if status == 401:
            variable = "RETRYSCOPE_API_TOKEN" if who == "service" else "RETRYSCOPE_UPSTREAM_TOKEN"
            raise DrillError(f"the {who} at {url} needs its token: set {variable} as it is set there")
        if status >= 300 and status not in expected:
            raise DrillError(f"the {who} answered {method} {path} with {status}: {printable(text, _SHOWN)}")
        return text
