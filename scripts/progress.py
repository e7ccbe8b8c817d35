"""The steps of a set-up: commands, run one after the other, and what a user sees of them meanwhile."""

import os
import queue
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class SetUpError(Exception):
    """Set-up can't go on; says why, and what to do."""


class Steps:
    """Says on standard error which step is done; on a terminal also what it is at, and for how long."""

    def __init__(self, total: int, lock: int) -> None:
        self._total = total
        self._number = 0
        self._lock = lock
        self._is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._line = ""
        self._since = 0.0

    def run(self, title: str, *command: str, failed: str, **variables: str) -> None:
        """Run a command as the next step.

        Raises:
            SetUpError: It failed; what it complained of has been printed before.
        """
        output: list[str] = []
        self._begin_step(title)
        with self._started(command, variables) as (process, lines):
            for line in lines:
                if line:
                    output.append(line)
                self._draw(output[-1] if output else "")
        self._end()
        if process.returncode:
            print("\n".join(complaints(output)), file=sys.stderr)
            raise SetUpError(f"{failed}\n  what failed: {shlex.join(command)}")

    def pass_on(self, title: str, *command: str) -> int:
        """Run a command as the next step, and print what it says; a silent one had nothing to do."""
        is_silent = True
        with self._started(command, {}) as (process, lines):
            for line in lines:
                if line is None:
                    self._draw()
                    continue
                if is_silent:
                    self._begin_step(title)
                    is_silent = False
                self._end()
                self._begin(line)
        self._end()
        return process.returncode

    def _begin_step(self, title: str) -> None:
        self._number += 1
        self._begin(f"[{self._number}/{self._total}] {title}")

    def _begin(self, line: str) -> None:
        self._line = line
        self._since = time.monotonic()
        if self._is_terminal:
            self._write(line)
        else:
            print(line, file=sys.stderr, flush=True)

    def _draw(self, detail: str = "") -> None:
        if self._is_terminal and self._line:
            seconds = f"  {time.monotonic() - self._since:.0f} s"
            room = shutil.get_terminal_size().columns - len(seconds) - 1
            text = f"{self._line}: {detail.strip()}" if detail else self._line
            self._write(f"{text[:room]}{seconds}")

    def _end(self) -> None:
        if self._is_terminal and self._line:
            seconds = time.monotonic() - self._since
            self._write(f"{self._line}  {seconds:.0f} s\n" if seconds >= 1 else f"{self._line}\n")
        self._line = ""

    def _write(self, text: str) -> None:
        """Write in place of what the line of the terminal shows."""
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    @contextmanager
    def _started(
        self, command: tuple[str, ...], variables: dict[str, str]
    ) -> Iterator[tuple["subprocess.Popen[str]", Iterator[str | None]]]:
        # PYTHONPATH could lead to a copy of a package, which pip would take for installed.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with subprocess.Popen(
            command,
            env={**inherited, **variables},
            # It holds the lock too: whoever comes next waits for it, even if this process was killed.
            pass_fds=(self._lock,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                yield process, _lines(process)
            except BaseException:
                process.terminate()
                raise


def _lines(process: "subprocess.Popen[str]") -> Iterator[str | None]:
    """What it prints, and None for each second without."""
    printed: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            printed.put(line.rstrip())
        printed.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = printed.get(timeout=1)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


PROGRESS = re.compile(
    r"\s*(Collecting|Downloading|Using cached|Ignoring|Looking in|Obtaining|Requirement already|Installing"
    r"|Preparing|Checking|Building|Created|Attempting|Found existing|Uninstalling|Successfully)\b"
)
RETRY = "WARNING: Retrying"


def complaints(output: list[str]) -> list[str]:
    """What a failed command has to say: without its progress, its tracebacks and all but the last retry."""
    kept: list[str] = []
    is_traceback = False
    for line in output:
        is_traceback = line.startswith("Traceback") or (is_traceback and line[:1] in {"", " "})
        if is_traceback or not line or PROGRESS.match(line):
            continue
        if line.startswith(RETRY):
            kept = [each for each in kept if not each.startswith(RETRY)]
        kept.append(line)
    return kept[-20:]
