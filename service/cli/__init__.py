"""The command ``retryscope``."""

import argparse
from importlib.metadata import version
from importlib.util import find_spec

from service.cli import load, rules, serve, stack, worker
from service.cli.output import CommandError, fail

NEEDED = ("aiohttp", "pydantic", "pydantic_settings", "docket", "rich", "yaml", "markdown_it")
"""What the commands import besides the library's own dependencies."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return fail(
            f"{', '.join(missing)} not installed; install the service with: pip install 'retryscope[service]'"
        )
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (CommandError, ValueError) as error:  # OpenTelemetry reads some variables when it is imported
        return fail(str(error))
    except KeyboardInterrupt:  # before a command handles signals itself
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="retryscope",
        description="See every attempt, backoff, timeout and cancellation of your asyncio code.",
        epilog="RETRYSCOPE_* variables set what is not given here; OTEL_* variables set resource, sampler and"
        " exporter.",
    )
    parser.add_argument("--version", action="version", version=f"retryscope {version('retryscope')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (serve, worker, load, stack, rules):
        command.add_to(commands)
    return parser
