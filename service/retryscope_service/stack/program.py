"""A program that runs as long as the stack does."""

import asyncio
import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp

from retryscope_service.stack.errors import ProgramEndedError, StackError

READY_SECONDS: Final = 60.0
END_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05
_SHOWN_LINES: Final = 5
_TELLING: Final = re.compile(r"level=(?:error|warn)|\berr=|panic:", re.IGNORECASE)
_PR_SET_PDEATHSIG: Final = 1


class Program:
    """Prometheus or Alertmanager, with its output in a file.

    Args:
        name: What people call it.
        address: Where it listens.
        log: Where its output goes.
    """

    def __init__(self, name: str, address: str, log: Path) -> None:
        self.name = name
        self.url = f"http://{address}"
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *command: str | Path) -> None:
        """Start it; on Linux the kernel ends it even when this process is killed.

        Raises:
            StackError: It can't be started.
        """
        # The service's token is for the files that name it, not for everybody who can read an environment.
        variables = {name: value for name, value in os.environ.items() if name != "RETRYSCOPE_API_TOKEN"}
        try:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *command,
                    env=variables,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # a Ctrl-C is for this process, which ends the others in order
                    preexec_fn=die_with_parent(),
                )
        except OSError as error:
            raise StackError(f"can't start {self.name}, {command[0]}: {error.strerror}") from None

    async def wait_until_ready(self, session: aiohttp.ClientSession) -> None:
        """Wait until it answers.

        Raises:
            ProgramEndedError: It has ended, or does not get ready.
        """
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self._is_ready(session):
                    self._require_running()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ProgramEndedError(
                f"{self.name} was not ready after {READY_SECONDS:g} s:\n{self._last_lines()}"
            ) from None

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    def _require_running(self) -> None:
        if self._process is not None and self._process.returncode is not None:
            raise self._ended()

    async def wait(self) -> None:
        """Wait until it ends by itself.

        Raises:
            ProgramEndedError: Always.
        """
        assert self._process is not None
        await self._process.wait()
        raise self._ended()

    def _ended(self) -> ProgramEndedError:
        assert self._process is not None
        return ProgramEndedError(
            f"{self.name} ended with status {self._process.returncode}; it said last:\n{self._last_lines()}"
        )

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        # What went wrong stands above the stack of a panic, or among what went well.
        telling = [line for line in lines if _TELLING.search(line)] or lines
        return "\n".join(f"  {line[:500]}" for line in telling[-_SHOWN_LINES:])

    async def end(self) -> None:
        """End it in good order, or after a while in any."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


def die_with_parent() -> Callable[[], None] | None:
    """What makes the kernel end a child when this process is killed, where it can: a ``preexec_fn``."""
    if sys.platform != "linux":
        return None
    # Loaded before the fork: between fork and exec nothing may be imported or locked.
    prctl = ctypes.CDLL(None).prctl

    def set_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return set_signal
