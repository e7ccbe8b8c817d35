"""``retryscope load``: traffic at a given rate."""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retryscope_service.cli.arguments import Commands, base_url, number, seconds, weights, whole
from retryscope_service.cli.configuration import read_token
from retryscope_service.cli.output import CommandError, say
from retryscope_service.load.arrivals import ARRIVALS, schedule
from retryscope_service.load.generator import DRAIN_SECONDS, LoadGenerator
from retryscope_service.load.report import Thresholds, report, warnings
from retryscope_service.load.scenarios import AS_DOCUMENTED, SCENARIOS, Scenario, Share
from retryscope_service.load.traffic import mixed, requests
from retryscope_service.signals import on_stop_signals

if TYPE_CHECKING:
    from retryscope_service.load.client import LoadClient

DESCRIPTION = """\
Send requests at their scheduled times, whatever the answers do, and report what came back.
Ctrl-C ends the sending and waits for outstanding answers; a second one ends at once."""

EPILOG = "\n".join(
    (
        "scenarios:",
        *(f"  {name:13} {each.alert or 'no alert':20} {each.summary}" for name, each in SCENARIOS.items()),
        "",
        "exit status: 0; 1: a threshold is broken; 2: wrong usage, or no service at the address; 130: Ctrl-C",
        "The API token is read from RETRYSCOPE_API_TOKEN or /run/secrets/retryscope_api_token.",
    )
)


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "load",
        help="send traffic to a service at a given rate, healthy or provoking an alert",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--url", type=base_url, default="http://127.0.0.1:8080", help="the service (default %(default)s)"
    )
    parser.add_argument(
        "--scenario", choices=SCENARIOS, metavar="NAME", help="what to send (default mixed; see below)"
    )
    parser.add_argument(
        "--mix",
        type=weights,
        metavar="WORKFLOW=WEIGHT,...",
        help="send these workflows, so often: those of the scenario, if one is named, else with the"
        " service's own numbers",
    )
    parser.add_argument(
        "--rate", type=number(0, 10_000, above=True), help="requests per second (default: the scenario's)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--duration", type=seconds, default=30.0, help="30, 90s, 5m, 1h; 0: until stopped (default 30)"
    )
    length.add_argument("--forever", action="store_true", help="until stopped")
    parser.add_argument(
        "--arrivals", choices=ARRIVALS, default="poisson", help="gaps between requests (default %(default)s)"
    )
    parser.add_argument(
        "--time-scale",
        type=number(0.0001, 10),
        help="factor on every duration of a run (default: the scenario's)",
    )
    parser.add_argument(
        "--background", type=number(0, 1), metavar="SHARE", help="share of runs sent as background runs"
    )
    parser.add_argument(
        "--max-in-flight",
        type=whole(1, 100_000),
        help="requests at a time; what is due beyond is counted as not sent (default: the scenario's)",
    )
    parser.add_argument(
        "--timeout",
        type=number(0, 86_400, above=True),
        help="seconds until a request without an answer has failed (default: the scenario's)",
    )
    parser.add_argument("--seed", type=whole(0, 2**53 - 1), help="send the same again (default: a new one)")
    parser.add_argument("--max-failure-ratio", type=number(0, 1), help="more: exit status 1")
    parser.add_argument(
        "--max-p99", type=number(0, 86_400), metavar="SECONDS", help="a slower corrected p99: exit status 1"
    )
    parser.add_argument("--json", metavar="FILE", help="write a report; - for standard output")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return asyncio.run(_Load(options).run())


def _is_writable(name: str) -> bool:
    """Whether it is a file that can be written, or can become one."""
    path = Path(name)
    try:
        there = path.exists()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False
    usable = path.is_file() if there else "\0" not in name
    return usable and os.access(path if there else path.parent, os.W_OK)


class _Load:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._scenario: Scenario = SCENARIOS[options.scenario or "mixed"]
        if options.mix is not None and options.scenario is None:
            self._scenario = AS_DOCUMENTED
        self._shares: tuple[Share, ...] = self._scenario.shares
        if options.mix is not None:
            self._shares = mixed(self._shares, options.mix)
            self._scenario = replace(self._scenario, alert=None)  # who knows what another mix provokes
        self._seed = random.getrandbits(32) if options.seed is None else options.seed
        self._duration = None if options.forever or not options.duration else options.duration
        self._interrupted = False
        self._cut_short: signal.Signals | None = None

    def _choice(self, name: str) -> Any:
        """An option, or what the scenario has in its place."""
        given = getattr(self._options, name)
        return getattr(self._scenario, name) if given is None else given

    async def run(self) -> int:
        """Check the address, send, report; returns the exit status."""
        from retryscope_service.load.client import LoadClient, UnusableAddressError

        self._require_writable()
        timeout = self._choice("timeout")
        async with LoadClient.open(self._options.url, timeout=timeout, token=read_token()) as client:
            try:
                known = await client.workflows()
            except UnusableAddressError as error:
                raise CommandError(str(error)) from None
            self._require(known)
            return await self._send(client)

    def _require_writable(self) -> None:
        """Before the load, not after it: it may run for hours, and its report would be lost."""
        if self._options.json in (None, "-"):
            return
        if not _is_writable(self._options.json):
            raise CommandError(
                f"can't write the report to {self._options.json!r} (--json): name a file in a folder that"
                " exists and can be written"
            )

    def _require(self, known: list[str]) -> None:
        missing = sorted({share.workflow for share in self._shares} - set(known))
        if missing:
            raise CommandError(
                f"{self._options.url} has no workflow {', '.join(missing)}; it has {', '.join(known)}:"
                " choose with --mix"
            )

    async def _send(self, client: "LoadClient") -> int:
        from retryscope_service.cli.load_display import LoadDisplay

        # Sources of their own: another rate does not change what is sent, only when.
        traffic = requests(
            self._shares,
            time_scale=self._choice("time_scale"),
            background=self._choice("background"),
            rng=random.Random(f"{self._seed}/requests"),
        )
        rate = self._choice("rate")
        times = schedule(self._options.arrivals, rate, random.Random(f"{self._seed}/arrivals"))
        generator = LoadGenerator(
            traffic,
            times,
            client,
            duration=self._duration,
            max_in_flight=self._choice("max_in_flight"),
        )
        self._end_on_signals(generator)
        display = LoadDisplay(generator, self._duration, on_stderr=self._options.json == "-")
        display.announce(self._title(rate))
        with self._until_cut_short():
            async with display:
                await generator.run()
        display.summarize()
        with self._until_cut_short():
            await display.written()
        return self._conclude(generator)

    @contextmanager
    def _until_cut_short(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            if self._cut_short is None:
                raise

    def _title(self, rate: float) -> str:
        name = self._options.scenario or ("mixed" if self._options.mix is None else "mix")
        length = "until stopped" if self._duration is None else f"for {self._duration:g} s"
        alert = f"; provokes the alert {self._scenario.alert}" if self._scenario.alert else ""
        return (
            f"Sending {rate:g} requests a second to {self._options.url} {length}: {name}, seed {self._seed}"
            f"{alert}"
        )

    def _end_on_signals(self, generator: LoadGenerator) -> None:
        loop = asyncio.get_running_loop()
        main = asyncio.current_task()
        assert main is not None

        def stop(number: signal.Signals) -> None:
            # SIGTERM is how an init system or Compose ends it, as regularly as its duration would.
            self._interrupted = number == signal.SIGINT
            generator.stop()
            say(f"\nwaiting up to {DRAIN_SECONDS:g} s for outstanding answers; again to end at once")

        def cut_short(number: signal.Signals) -> None:
            self._interrupted |= number == signal.SIGINT
            self._cut_short = number
            main.cancel()

        on_stop_signals(stop, lambda number: loop.call_soon_threadsafe(cut_short, number))

    def _conclude(self, generator: LoadGenerator) -> int:
        thresholds = Thresholds(self._options.max_failure_ratio, self._options.max_p99)
        broken = thresholds.broken(generator.numbers.total)
        if self._options.json is not None:
            self._write(generator, broken)
        for line in warnings(generator.numbers):
            say(f"warning: {line}")
        for line in broken:
            say(f"retryscope: {line}")
        if self._interrupted or self._cut_short is not None:
            return 128 + (self._cut_short or signal.SIGINT)
        return 1 if broken else 0

    def _write(self, generator: LoadGenerator, broken: list[str]) -> None:
        settings = {
            "url": self._options.url,
            "scenario": self._options.scenario or ("mixed" if self._options.mix is None else None),
            "mix": self._options.mix,
            "seed": self._seed,
            "arrivals": self._options.arrivals,
            "duration_seconds": self._duration,
            **{
                name: self._choice(name)
                for name in ("rate", "time_scale", "background", "max_in_flight", "timeout")
            },
            "interrupted": self._interrupted,
            "broken_thresholds": broken,
        }
        document = json.dumps(
            report(generator.numbers, seconds=generator.seconds, settings=settings), indent=2
        )
        try:
            if self._options.json == "-":
                sys.stdout.write(f"{document}\n")
            else:
                Path(self._options.json).write_text(f"{document}\n")
        except OSError as error:
            raise CommandError(f"can't write the report to {self._options.json}: {error.strerror}") from None
