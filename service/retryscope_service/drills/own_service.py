"""A service of the drills' own, with its upstream: a child process on free loopback ports."""

import asyncio
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from retryscope_service.drills.target import DrillError, Place
from retryscope_service.stack.program import die_with_parent

START_SECONDS: Final = 60.0
END_SECONDS: Final = 10.0
_ANNOUNCED: Final = re.compile(
    r"listens on (?P<service>http://\S+).*operation `http` calls, (?P<upstream>http://[^\s,]+)", re.DOTALL
)


@asynccontextmanager
async def own_service() -> AsyncIterator[Place]:
    """One that runs during the block; what the environment sets for another service does not hold for it.

    Raises:
        DrillError: It does not start.
    """
    token = secrets.token_urlsafe(24)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RETRYSCOPE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "retryscope_service", "serve", "--port", "0"),
        env={**inherited, "RETRYSCOPE_UPSTREAM_TOKEN": token, "RETRYSCOPE_DRAIN_SECONDS": "0"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for this process, which ends the other in order
        preexec_fn=die_with_parent(),
    )
    reading = None
    try:
        found = await _announced(process)
        assert process.stderr is not None
        reading = asyncio.create_task(process.stderr.read())  # nobody may be held up by a full pipe
        yield Place(found["service"], found["upstream"], None, token)
    finally:
        await _end(process)
        if reading is not None:
            await reading


async def _announced(process: asyncio.subprocess.Process) -> re.Match[str]:
    assert process.stderr is not None
    said = ""
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := await process.stderr.readline():
                said += line.decode(errors="replace")
                if found := _ANNOUNCED.search(said):
                    return found
            await process.wait()
    except TimeoutError:
        pass
    raise DrillError(f"the service of the drills does not start; it said:\n{said.strip()[-2000:]}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
