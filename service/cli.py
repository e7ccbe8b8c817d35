"""The command ``retryscope``."""

import argparse
import asyncio
import sys
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.settings import Settings

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
In a browser: {url}/docs
"""

OPTIONS = {
    "host": "--host",
    "port": "--port",
    "worker_port": "--port of a worker",
    "worker_concurrency": "--concurrency",
}
"""Settings that are options of the commands too."""

SECRET = {"api_token": "too short or no text", "engine_url": "no URL of an engine"}
"""What is said of settings that hold a secret: their value is never repeated."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    missing = [
        name for name in ("aiohttp", "pydantic", "pydantic_settings", "docket") if find_spec(name) is None
    ]
    if missing:
        return _fail(
            f"{', '.join(missing)} not installed; install the service with: pip install 'retryscope[service]'"
        )
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except ValueError as error:  # a variable; OpenTelemetry reads some when it is imported
        return _fail(str(error))
    except KeyboardInterrupt:  # before it serves; from then on a signal shuts it down
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="retryscope",
        description="See every attempt, backoff, timeout and cancellation of your asyncio code.",
        epilog="RETRYSCOPE_* variables set what is not given here; OTEL_* variables set resource, sampler and"
        " exporter.",
    )
    parser.add_argument("--version", action="version", version=f"retryscope {version('retryscope')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the service: the API, and a worker for background runs")
    serve.add_argument("--host", help="address to listen on (RETRYSCOPE_HOST, default 127.0.0.1)")
    serve.add_argument(
        "--port", type=int, help="port to listen on, 0 for a free one (RETRYSCOPE_PORT, default 8080)"
    )
    serve.add_argument(
        "--no-worker", action="store_true", help="leave background runs to `retryscope worker` processes"
    )
    worker = commands.add_parser("worker", help="run background runs of a shared engine")
    worker.add_argument("--host", help="address for /metrics and /health (RETRYSCOPE_HOST)")
    worker.add_argument(
        "--port",
        type=int,
        dest="worker_port",
        help="port for /metrics and /health (RETRYSCOPE_WORKER_PORT, default 8081)",
    )
    for each in (serve, worker):
        each.add_argument(
            "--concurrency",
            type=int,
            dest="worker_concurrency",
            help="background runs at a time (RETRYSCOPE_WORKER_CONCURRENCY, default 100)",
        )
    return parser


def _run(options: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from instrumentation.logs import configure_logs
    from service.process import AddressInUseError, serve, work
    from service.settings import Settings

    given = {name: getattr(options, name) for name in OPTIONS if getattr(options, name, None) is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        return _fail(
            "\n".join(_describe(detail["loc"], detail["input"], detail["msg"]) for detail in error.errors())
        )
    is_worker = options.command == "worker"
    if problem := _unsafe(settings, is_worker):
        return _fail(problem)
    configure_logs("retryscope", settings.log_level)
    try:
        if is_worker:
            asyncio.run(work(settings, _announce_worker))
        else:
            asyncio.run(serve(settings, _announce, with_worker=not options.no_worker))
    except AddressInUseError as error:
        return _fail(str(error))
    return 0


def _unsafe(settings: "Settings", is_worker: bool) -> str | None:
    """Why these settings must not be started with, or None."""
    if is_worker and settings.engine_url.startswith("memory:"):
        return (
            "a worker of its own needs an engine that it shares with the API:"
            " set RETRYSCOPE_ENGINE_URL to a redis:// URL"
        )
    if settings.is_local or settings.allow_remote or settings.api_token is not None:
        return None
    return (
        f"host {settings.host} can be reached from other machines, and anybody could start runs;"
        " listen on 127.0.0.1, set RETRYSCOPE_API_TOKEN,"
        " or set RETRYSCOPE_ALLOW_REMOTE=true if you mean it"
    )


def _announce(url: str) -> None:
    print(TRY.format(url=url), file=sys.stderr, flush=True)


def _announce_worker(url: str) -> None:
    print(f"Retryscope worker; /metrics and /health on {url}", file=sys.stderr, flush=True)


def _describe(location: tuple[int | str, ...], value: object, message: str) -> str:
    name = ".".join(str(part) for part in location)
    option = f", {OPTIONS[name]}" if name in OPTIONS else ""
    shown = SECRET.get(name, f"{value!r}")
    return f"{name} (RETRYSCOPE_{name.upper()}{option}) is {shown}: {message}"


def _fail(message: str) -> int:
    print(f"retryscope: {message}", file=sys.stderr)
    return 2
