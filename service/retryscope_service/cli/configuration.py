"""Settings for a command: from its options, else from variables; what is wrong with them, in words."""

import argparse
from typing import TYPE_CHECKING, Any

from retryscope_service.cli.output import CommandError

if TYPE_CHECKING:
    from retryscope_service.settings import Settings

OPTIONS = {
    "host": "--host",
    "port": "--port",
    "worker_port": "--port of a worker",
    "loop": "--loop",
    "worker_concurrency": "--concurrency",
    "upstream_port": "--port of an upstream",
    "upstream_faults": "--faults",
}
"""Settings that are options of the commands too."""

SECRET = {
    "api_token": "not usable",
    "engine_url": "no URL of an engine",
    "engine_password": "empty",
    "upstream_token": "not usable",
    "database_url": "no URL of a database",
    "database_password": "empty",
}
"""What is said of settings that hold a secret: their value is never repeated."""


def read_settings(options: argparse.Namespace) -> "Settings":
    """The settings; options go before variables.

    Raises:
        CommandError: Every one that is wrong, a line each.
    """
    from pydantic import ValidationError

    from retryscope_service.settings import Settings

    given = {name: getattr(options, name) for name in OPTIONS if getattr(options, name, None) is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = (_describe(detail["loc"], detail["input"], detail["msg"]) for detail in error.errors())
        raise CommandError("\n".join(lines)) from None


def read_token() -> str | None:
    """The API token of the service, where there is one: from the same places as the service's own."""
    return read_settings(argparse.Namespace()).token


def refuse_unprotected(
    settings: "Settings",
    token: str | None,
    harm: str = "start runs",
    variable: str = "RETRYSCOPE_API_TOKEN",
) -> None:
    """Refuse to listen beyond this machine without a token.

    Args:
        settings: Where it would listen.
        token: What it would ask for.
        harm: What anybody could do.
        variable: What sets the token.

    Raises:
        CommandError: The ways out.
    """
    if settings.is_local or settings.allow_remote or token is not None:
        return
    raise CommandError(
        f"host {settings.host} can be reached from other machines, and anybody could {harm};"
        f" listen on 127.0.0.1, set {variable},"
        " or set RETRYSCOPE_ALLOW_REMOTE=true if you mean it"
    )


def _describe(location: tuple[int | str, ...], value: Any, message: str) -> str:
    name = ".".join(str(part) for part in location)
    option = f", {OPTIONS[name]}" if name in OPTIONS else ""
    shown = SECRET.get(name, f"{value!r}")
    return f"{name} (RETRYSCOPE_{name.upper()}{option}) is {shown}: {message}"
