"""A file that is really read and parsed, slowly, on a thread."""

import csv
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import REGISTRY, CollectorRegistry
from pydantic import Field

from retryscope_service.operations.parameters import Integer, Parameters
from retryscope_service.operations.task import Task
from retryscope_service.operations.threads import NoThreadError, Threads

MAX_ROWS: Final = 10_000
SLOTS: Final = 64
"""Files that a process parses at a time."""


class FileParams(Parameters):
    """A file of orders, read as from a slow disk."""

    rows: Integer = Field(1000, ge=1, le=MAX_ROWS, description="Rows that are parsed in the task's time.")
    stop_seconds: float = Field(
        1.0,
        ge=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds that a cancelled task waits for its thread; then that is abandoned.",
    )
    deaf: bool = Field(
        False, description="The parser does not look whether it is to stop: a thread can't be cancelled."
    )


class MalformedRowError(ValueError):
    """A row of the file is no order; the text names its line."""


class FileOperation:
    """Parsing of about the task's seconds; a drawn failure is a malformed row at the end. A context manager.

    A task that is cancelled, or runs out of time, asks its thread to stop: see
    :mod:`retryscope_service.operations.threads`.

    Args:
        registry: Where abandoned threads are counted.
        slots: Threads at a time.
    """

    errors: tuple[type[Exception], ...] = (MalformedRowError, NoThreadError, OSError)

    def __init__(self, registry: CollectorRegistry = REGISTRY, slots: int = SLOTS) -> None:
        self.threads = Threads(slots, registry)

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="retryscope-files-")
        self._orders = Path(self._folder.name) / "orders.csv"
        self._malformed = Path(self._folder.name) / "malformed.csv"
        self._write()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def _write(self) -> None:
        with self._orders.open("w", newline="") as file:
            csv.writer(file).writerows((f"order-{number}", number % 1000) for number in range(MAX_ROWS))
        self._malformed.write_text("order,many\n")

    async def __call__(self, task: Task, params: FileParams | None) -> dict[str, Any]:
        """Parse it: how many rows it has, and what its orders are worth together.

        Raises:
            MalformedRowError: A row is no order.
            NoThreadError: Every thread was abandoned, and has not ended yet.
            OSError: The file can't be read.
        """
        asked = params or FileParams()
        fails = task.fails()

        def work(stop: threading.Event) -> dict[str, int]:
            lines = self._lines(asked.rows, malformed=fails)
            return parse(lines, task.seconds / asked.rows, time.sleep if asked.deaf else _until_asked(stop))

        return await self.threads.run(work, stop_seconds=asked.stop_seconds)

    def _lines(self, rows: int, *, malformed: bool) -> Iterator[str]:
        with self._orders.open(newline="") as orders, self._malformed.open(newline="") as last:
            yield from chain(islice(orders, rows - malformed), last if malformed else ())

    def is_transient(self, error: Exception) -> bool:
        """Each is: a row may still be being written, and a thread ends at last."""
        return isinstance(error, self.errors)

    def check(self, params: FileParams | None) -> None:
        """Whatever is valid may be performed."""


class _StoppedError(Exception):
    """Nobody waits for the parser any more."""


def _until_asked(stop: threading.Event) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise _StoppedError

    return wait


def parse(lines: Iterator[str], seconds_per_row: float, wait: Callable[[float], None]) -> dict[str, int]:
    """Parse orders, each a name and an amount.

    Raises:
        MalformedRowError: An amount is missing, or no whole number.

    >>> parse(iter(["a,1", "b,2"]), 0.0, time.sleep)
    {'rows': 2, 'amount': 3}
    """
    reader = csv.reader(lines)
    began = time.monotonic()
    amount = 0
    for row in reader:
        try:
            _, text = row
            amount += int(text)
        except ValueError:
            raise MalformedRowError(
                f"line {reader.line_num} is no order, which is a name and a whole number: {','.join(row)!r}"
            ) from None
        # From the beginning, so that waits that last a little longer each do not add up.
        wait(max(0.0, began + reader.line_num * seconds_per_row - time.monotonic()))
    return {"rows": reader.line_num, "amount": amount}
