"""``retryscope upstream``: the flaky upstream as a process of its own."""

import argparse
from typing import TYPE_CHECKING, Final

from retryscope_service.cli.arguments import Commands
from retryscope_service.cli.configuration import read_settings, refuse_unprotected
from retryscope_service.cli.event_loop import add_loop, loop_factory, run_on
from retryscope_service.cli.output import CommandError, say

if TYPE_CHECKING:
    from retryscope_service.upstream.embedded import UpstreamAddress

DEFAULT_PORT: Final = 8082


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("upstream", help="run the flaky upstream that operations can call")
    parser.add_argument("--host", help="address to listen on (RETRYSCOPE_HOST, default 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=int,
        dest="upstream_port",
        help=f"port to listen on, 0 for a free one (RETRYSCOPE_UPSTREAM_PORT, default {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--faults",
        dest="upstream_faults",
        help="what it does to requests at first: JSON, or a file with it (RETRYSCOPE_UPSTREAM_FAULTS)",
    )
    add_loop(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from retryscope.logs import configure_logs
    from retryscope_service.http.listener import AddressInUseError
    from retryscope_service.process import serve_upstream

    settings = read_settings(options)
    refuse_unprotected(
        settings,
        settings.faults_token,
        "change its faults",
        "RETRYSCOPE_UPSTREAM_TOKEN or RETRYSCOPE_API_TOKEN",
    )
    port = settings.upstream_port
    if port == 0 and options.upstream_port is None:
        port = DEFAULT_PORT
    factory = loop_factory(settings.loop)
    configure_logs("retryscope-upstream", settings.log_level)
    try:
        run_on(factory, serve_upstream(settings, port, _announce))
    except AddressInUseError as error:
        raise CommandError(str(error)) from None
    return 0


def put_faults_line(upstream: "UpstreamAddress") -> str:
    """A command that changes the faults, ready to be copied; a token that is not new is not repeated."""
    token = upstream.drawn_token or "TOKEN"
    header = f"-H 'Authorization: Bearer {token}'"
    return f"curl -X PUT --json '{{\"error\": 0.3}}' {header} {upstream.url}/faults"


def _announce(upstream: "UpstreamAddress") -> None:
    say(f"Retryscope upstream; /job and /metrics on {upstream.url}\n  {put_faults_line(upstream)}")
