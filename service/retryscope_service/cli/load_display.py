"""What `retryscope load` shows: live on a terminal, else a line now and then; a summary at the end."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from types import TracebackType
from typing import Final, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from retryscope_service.cli.output import in_background
from retryscope_service.load.generator import LoadGenerator
from retryscope_service.load.histogram import Histogram
from retryscope_service.load.tally import Tally
from retryscope_service.printable import printable

LINE_SECONDS: Final = 10.0
REFRESH_SECONDS: Final = 0.25
WRITTEN_SECONDS: Final = 0.01
"""Between two looks whether the results are written."""
WIDTH: Final = 132
"""Columns where no terminal has a width of its own."""
_UNBOUNDED: Final = 10_000
_COUNTS: Final[Mapping[str, Callable[[Tally], int]]] = {
    "sent": attrgetter("sent"),
    "ok": attrgetter("succeeded"),
    "failed": attrgetter("failed"),
    "hung up": attrgetter("hung_up"),
    "not sent": attrgetter("not_sent"),
    "abandoned": attrgetter("abandoned"),
}
_ALWAYS: Final = ("sent", "ok", "failed")
"""Counts that are shown even if they are 0."""
_PERCENTILES: Final = ("p50", "p90", "p95", "p99", "max")


class LoadDisplay:
    """Shows a load while the block runs.

    Args:
        generator: What sends it.
        duration: Seconds; None: until it is stopped.
        on_stderr: Standard output is taken.
    """

    def __init__(self, generator: LoadGenerator, duration: float | None, *, on_stderr: bool) -> None:
        self._generator = generator
        self._duration = duration
        # Whoever does not read what happens must not hold up the sending.
        self._writer = in_background(sys.stderr if on_stderr else sys.stdout)
        self._console = Console(file=cast(TextIO, self._writer), highlight=False)
        if not self._console.is_terminal:
            self._console.width = WIDTH
        self._task: asyncio.Task[None] | None = None

    def announce(self, title: str) -> None:
        """Say what begins."""
        self._print(title)

    async def __aenter__(self) -> None:
        show = self._show_live if self._console.is_terminal else self._show_lines
        self._task = asyncio.create_task(show())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _show_live(self) -> None:
        # No thread of its own: it redraws where the numbers are made.
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(Group(Text(self._progress()), *self._tables()), refresh=True)
                await asyncio.sleep(REFRESH_SECONDS)

    async def _show_lines(self) -> None:
        while True:
            await asyncio.sleep(LINE_SECONDS)
            self._print(self._progress())

    def _progress(self) -> str:
        total = self._generator.numbers.total
        seconds = self._generator.seconds
        of = "" if self._duration is None else f" of {self._duration:g}"
        rate = total.sent / seconds if seconds else 0.0
        return (
            f"{seconds:.0f}{of} s: {total.sent} sent ({rate:.1f}/s), {total.in_flight} in flight,"
            f" {total.succeeded} succeeded, {total.failed} failed, {total.hung_up} hung up,"
            f" {total.not_sent} not sent; p99 {_latency(total.corrected, total.corrected.percentile(99))}"
        )

    def _tables(self) -> list[Table]:
        """One table, or two where the screen is too narrow for one."""
        numbers = self._generator.numbers
        rows = sorted(numbers.workflows.items())
        if len(rows) != 1:
            rows.append(("all", numbers.total))
        counts = [name for name in _COUNTS if name in _ALWAYS or _COUNTS[name](numbers.total)]
        together = _table(rows, [*counts, *_PERCENTILES])
        unbounded = self._console.options.update_width(_UNBOUNDED)  # else it is measured as if it were cut
        if self._console.measure(together, options=unbounded).maximum <= self._console.width:
            return [together]
        return [_table(rows, counts), _table(rows, _PERCENTILES)]

    def summarize(self) -> None:
        """The summary: latencies are counted from when a request was due."""
        numbers = self._generator.numbers
        total = numbers.total
        self._console.print(*self._tables(), sep="\n")
        self._print(
            "Latency from when a request was due; from when it was really sent:"
            f" p50 {_seconds(total.latency.percentile(50))}, p99 {_seconds(total.latency.percentile(99))},"
            f" max {_seconds(total.latency.maximum if total.latency.count else None)}."
        )
        late = f"; never, for that reason, {numbers.late}" if numbers.late else ""
        self._print(f"Sent at most {_seconds(numbers.longest_delay)} late by this machine{late}.")
        answers = [f"{status} {count} times" for status, count in sorted(total.statuses.items())]
        outcomes = [f"{outcome} {count} times" for outcome, count in sorted(total.outcomes.items())]
        for name, found in (("Status", answers), ("Outcome", outcomes)):
            if found:
                self._print(f"{name}: {', '.join(found)}.")
        for kind, error in sorted(total.errors.items()):
            self._print(f"{kind}, {error.count} times; the first: {error.first}")

    def _print(self, line: str) -> None:
        """A line, as it is: a server may have written parts of it."""
        self._console.print(Text(printable(line)))

    async def written(self) -> None:
        """Wait until all of it is written: results are for whoever reads them, however late."""
        while self._writer.pending:  # noqa: ASYNC110 - on another thread
            await asyncio.sleep(WRITTEN_SECONDS)
        self._writer.close()


def _table(rows: Sequence[tuple[str, Tally]], columns: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("workflow", *columns):
        table.add_column(name, justify="left" if name == "workflow" else "right", no_wrap=True)
    for workflow, tally in rows:
        latencies = tally.corrected.summary()
        cells = (
            str(_COUNTS[name](tally)) if name in _COUNTS else _latency(tally.corrected, latencies[name])
            for name in columns
        )
        table.add_row(Text(printable(workflow)), *cells, style="bold" if workflow == "all" else None)
    return table


def _latency(latencies: Histogram, value: float | None) -> str:
    return "unknown" if value is None and latencies.unknown else _seconds(value)


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
