"""``retryscope serve``: the service."""

import argparse
from typing import TYPE_CHECKING

from retryscope_service.cli.arguments import Commands
from retryscope_service.cli.configuration import read_settings, refuse_unprotected
from retryscope_service.cli.event_loop import add_loop, loop_factory, run_on
from retryscope_service.cli.output import CommandError, say
from retryscope_service.cli.upstream import put_faults_line

if TYPE_CHECKING:
    from retryscope_service.upstream.embedded import UpstreamAddress

TRY = """\
Retryscope listens on {url}  (Ctrl-C drains and ends it, a second one ends it at once)

Try, in another terminal:
  curl {url}/workflows                            what can be run
  curl -X POST {url}/workflows/retry              a flaky call, retried with backoff
  curl '{url}/traces/TRACE_ID?format=text'        the trace that an answer names
  curl -X POST {url}/workflows/cancellation/runs  a run in the background, followed by
  curl -N {url}/runs/RUN_ID/events                what happens in it, as it happens
  curl {url}/metrics                              for Prometheus
  curl --json '{{"time_scale": 0.01, "seed": 1}}' {url}/workflows/timeouts
The upstream that the operation `http` calls, {upstream}, can fail as you like:
  {put_faults}
In a browser: {url}/
"""


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="run the service: the API, and a worker for background runs")
    parser.add_argument("--host", help="address to listen on (RETRYSCOPE_HOST, default 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, help="port to listen on, 0 for a free one (RETRYSCOPE_PORT, default 8080)"
    )
    parser.add_argument(
        "--no-worker", action="store_true", help="leave background runs to `retryscope worker` processes"
    )
    add_concurrency(parser)
    add_loop(parser)
    parser.set_defaults(run=_run)


def add_concurrency(parser: argparse.ArgumentParser) -> None:
    """Add the option that all commands with a worker have."""
    parser.add_argument(
        "--concurrency",
        type=int,
        dest="worker_concurrency",
        help="background runs at a time (RETRYSCOPE_WORKER_CONCURRENCY, default 100)",
    )


def _run(options: argparse.Namespace) -> int:
    from retryscope.logs import configure_logs
    from retryscope_service.http.listener import AddressInUseError
    from retryscope_service.process import serve

    settings = read_settings(options)
    refuse_unprotected(settings, settings.token)
    factory = loop_factory(settings.loop)
    configure_logs("retryscope", settings.log_level)
    try:
        run_on(factory, serve(settings, _announce, with_worker=not options.no_worker))
    except AddressInUseError as error:
        raise CommandError(str(error)) from None
    return 0


def _announce(url: str, upstream: "UpstreamAddress") -> None:
    say(TRY.format(url=url, put_faults=put_faults_line(upstream), upstream=upstream.url))
