"""The command ``retryscope``."""

import argparse
import asyncio
import sys
from importlib.metadata import version
from importlib.util import find_spec

TRY = """\
Retryscope listens on {url}  (Ctrl-C drains and ends it, a second one ends it at once)

Try, in another terminal:
  curl {url}/workflows                          what can be run
  curl -X POST {url}/workflows/retry            a flaky call, retried with backoff
  curl --json '{{"time_scale": 0.01, "seed": 1}}' {url}/workflows/timeouts
  curl '{url}/traces/TRACE_ID?format=text'      the trace that an answer names
  curl {url}/metrics                            for Prometheus
In a browser: {url}/docs
"""

OPTIONS = ("host", "port")
"""Settings that are options of ``serve`` too."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    missing = [name for name in ("aiohttp", "pydantic", "pydantic_settings") if find_spec(name) is None]
    if missing:
        return _fail(
            f"{', '.join(missing)} not installed; install the service with: pip install 'retryscope[service]'"
        )
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return _serve(options)
    except ValueError as error:  # a variable; OpenTelemetry reads some when it is imported
        return _fail(str(error))
    except KeyboardInterrupt:  # before it serves; from then on a signal shuts it down
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="retryscope",
        description="See every attempt, backoff, timeout and cancellation of your asyncio code.",
    )
    parser.add_argument("--version", action="version", version=f"retryscope {version('retryscope')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="run the service",
        description="Run the service. RETRYSCOPE_* variables set what is not given here; OTEL_* variables"
        " set resource, sampler and exporter.",
    )
    serve.add_argument("--host", help="address to listen on (RETRYSCOPE_HOST, default 127.0.0.1)")
    serve.add_argument(
        "--port", type=int, help="port to listen on, 0 for a free one (RETRYSCOPE_PORT, default 8080)"
    )
    return parser


def _serve(options: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from instrumentation.logs import configure_logs
    from service.app import AddressInUseError, serve
    from service.settings import Settings

    given = {name: getattr(options, name) for name in OPTIONS if getattr(options, name) is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        return _fail(
            "\n".join(_describe(detail["loc"], detail["input"], detail["msg"]) for detail in error.errors())
        )
    if not settings.is_local and not settings.allow_remote:
        return _fail(
            f"host {settings.host} can be reached from other machines, and anybody could start runs;"
            " listen on 127.0.0.1, or set RETRYSCOPE_ALLOW_REMOTE=true if you mean it"
        )
    configure_logs("retryscope", settings.log_level)
    try:
        asyncio.run(serve(settings, _announce))
    except AddressInUseError as error:
        return _fail(str(error))
    return 0


def _announce(url: str) -> None:
    print(TRY.format(url=url), file=sys.stderr, flush=True)


def _describe(location: tuple[int | str, ...], value: object, message: str) -> str:
    name = ".".join(str(part) for part in location)
    option = f", --{name}" if name in OPTIONS else ""
    return f"{name} (RETRYSCOPE_{name.upper()}{option}) is {value!r}: {message}"


def _fail(message: str) -> int:
    print(f"retryscope: {message}", file=sys.stderr)
    return 2
