"""``retryscope drill``: incidents, played and looked for in the telemetry."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from retryscope_service.cli.arguments import Commands, base_url
from retryscope_service.cli.configuration import read_settings
from retryscope_service.cli.output import CommandError, say
from retryscope_service.signals import on_stop_signals

if TYPE_CHECKING:
    from retryscope_service.drills.drill import Drill
    from retryscope_service.drills.play import Result
    from retryscope_service.drills.target import Place

ALL: Final = "all"

DESCRIPTION = """\
Play incidents against the flaky upstream, say what the telemetry should show, and check it there.
Without --url a service of its own is started for it, on free ports of 127.0.0.1."""

EPILOG = """\
exit status: 0: every claim holds; 1: one does not; 2: wrong usage, or nothing to play against; 130: Ctrl-C
Tokens are read from RETRYSCOPE_API_TOKEN and RETRYSCOPE_UPSTREAM_TOKEN."""


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "drill",
        help="play incidents and check what the telemetry shows of them",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the drill to play, or all (see --list)")
    parser.add_argument("--list", action="store_true", help="say which drills there are")
    parser.add_argument("--url", type=base_url, help="a running service, which nobody else uses meanwhile")
    parser.add_argument("--upstream-url", type=base_url, help="the upstream that this service calls")
    parser.add_argument("--json", action="store_true", help="write the results as JSON to standard output")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from retryscope_service.drills.catalogue import DRILLS
    from retryscope_service.drills.target import DrillError

    if options.list:
        for each in DRILLS.values():
            sys.stdout.write(f"{each.name:16} {each.summary}\n")
        return 0
    drills = _chosen(options.name, DRILLS)
    if (options.url is None) != (options.upstream_url is None):
        raise CommandError("--url and --upstream-url go together: the faults are put into the upstream")
    try:
        return asyncio.run(_play(drills, options))
    except DrillError as error:
        raise CommandError(str(error)) from None


def _chosen(name: str | None, known: "Mapping[str, Drill]") -> "list[Drill]":
    if name == ALL:
        return list(known.values())
    if name is None or name not in known:
        given = "no drill is named" if name is None else f"there is no drill {name!r}"
        raise CommandError(f"{given}: choose {', '.join(known)}, or {ALL}")
    return [known[name]]


async def _play(drills: "list[Drill]", options: argparse.Namespace) -> int:
    from retryscope_service.drills.play import play
    from retryscope_service.drills.target import Target

    stopped: list[signal.Signals] = []
    main = asyncio.current_task()
    assert main is not None

    def stop(number: signal.Signals) -> None:
        stopped.append(number)
        main.cancel()

    on_stop_signals(stop, lambda number: os._exit(128 + number))
    results: list[Result] = []
    try:
        async with _place(options) as place, Target.open(place) as target:
            for drill in drills:
                if not options.json:
                    say(f"{drill.name}: {drill.summary}")
                results.append(await play(drill, target))
                if not options.json:
                    sys.stdout.write("".join(f"{line}\n" for line in lines_of(results[-1])))
                    sys.stdout.flush()
    except asyncio.CancelledError:
        if not stopped:
            raise
        return 128 + stopped[0]
    if options.json:
        sys.stdout.write(f"{json.dumps([document_of(each) for each in results], indent=2)}\n")
    return 0 if all(each.holds for each in results) else 1


@asynccontextmanager
async def _place(options: argparse.Namespace) -> "AsyncIterator[Place]":
    from retryscope_service.drills.own_service import own_service
    from retryscope_service.drills.target import Place

    if options.url is None:
        async with own_service() as place:
            yield place
    else:
        settings = read_settings(argparse.Namespace())
        yield Place(options.url, options.upstream_url, settings.token, settings.faults_token)


def lines_of(result: "Result") -> "Iterator[str]":
    """What came of a drill, claim by claim."""
    for verdict in result.verdicts:
        yield f"  {'ok ' if verdict.holds else 'NOT'} {verdict.claim.says}"
        yield f"      expected {verdict.claim.expected}; seen {verdict.seen}"
    for claim in result.left_out:
        yield f"  --  {claim.says}"
        yield "      not looked at: the upstream is another process, and its spans are elsewhere"


def document_of(result: "Result") -> dict[str, Any]:
    """The same as JSON."""
    return {
        "drill": result.drill.name,
        "summary": result.drill.summary,
        "holds": result.holds,
        "claims": [
            {
                "claim": verdict.claim.says,
                "expected": verdict.claim.expected,
                "seen": verdict.seen,
                "value": verdict.number if verdict.number == verdict.number else None,
                "holds": verdict.holds,
            }
            for verdict in result.verdicts
        ],
        "not_looked_at": [claim.says for claim in result.left_out],
    }
