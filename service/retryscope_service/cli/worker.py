"""``retryscope worker``: background runs of a shared engine, without the API."""

import argparse
from typing import TYPE_CHECKING

from retryscope_service.cli.arguments import Commands
from retryscope_service.cli.configuration import read_settings, refuse_unprotected
from retryscope_service.cli.event_loop import add_loop, loop_factory, run_on
from retryscope_service.cli.output import CommandError, say
from retryscope_service.cli.serve import add_concurrency

if TYPE_CHECKING:
    from retryscope_service.upstream.embedded import UpstreamAddress


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("worker", help="run background runs of a shared engine")
    parser.add_argument("--host", help="address for /metrics and /health (RETRYSCOPE_HOST)")
    parser.add_argument(
        "--port",
        type=int,
        dest="worker_port",
        help="port for /metrics and /health (RETRYSCOPE_WORKER_PORT, default 8081)",
    )
    add_concurrency(parser)
    add_loop(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from retryscope.logs import configure_logs
    from retryscope_service.http.listener import AddressInUseError
    from retryscope_service.process import work

    settings = read_settings(options)
    if settings.engine_url.startswith("memory:"):
        raise CommandError(
            "a worker of its own needs an engine that it shares with the API:"
            " set RETRYSCOPE_ENGINE_URL to a redis:// URL"
        )
    refuse_unprotected(settings, settings.token)
    factory = loop_factory(settings.loop)
    configure_logs("retryscope", settings.log_level)
    try:
        run_on(factory, work(settings, _announce))
    except AddressInUseError as error:
        raise CommandError(str(error)) from None
    return 0


def _announce(url: str, _: "UpstreamAddress") -> None:
    say(f"Retryscope worker; /metrics and /health on {url}")
