"""The command line: its commands, and what each of them may end with."""

import argparse
import traceback
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any, Final, NoReturn

from retryscope_service.cli import drill, load, rules, serve, stack, upstream, worker
from retryscope_service.cli.output import CommandError, errors_in_background, fail
from retryscope_service.printable import printable

_LONGEST_ERROR: Final = 2_000
"""Characters that are said of wrong usage: an argument may be as long as a file."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with ExitStack() as background:
        try:
            background.enter_context(errors_in_background())
            status: int = options.run(options)
        except (CommandError, ValueError) as error:  # OpenTelemetry reads some variables when it is imported
            is_propagator = str(error).startswith("Propagator ")  # it does not name its variable
            return fail(f"OTEL_PROPAGATORS: {error}" if is_propagator else str(error))
        except Exception:  # here, because afterwards standard error could hold it up
            traceback.print_exc()
            return 1
        return status


class _Parser(argparse.ArgumentParser):
    """Takes options by their whole names only: an abbreviation could mean another one in a later version."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments, which may hold anything, and exit with status 2."""
        super().error(printable(message, _LONGEST_ERROR))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="retryscope",
        description="See every attempt, backoff, timeout and cancellation of your asyncio code.",
        epilog="RETRYSCOPE_* variables set what is not given here; OTEL_* variables set resource, sampler and"
        " exporter.",
    )
    parser.add_argument("--version", action="version", version=f"retryscope {version('retryscope')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (serve, worker, upstream, load, drill, stack, rules):
        command.add_to(commands)
    return parser
