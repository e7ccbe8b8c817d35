"""``retryscope stack``: Prometheus and Alertmanager without containers."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from retryscope_service.cli.arguments import Commands, base_url, whole
from retryscope_service.cli.configuration import read_token
from retryscope_service.cli.output import CommandError, say
from retryscope_service.cli.rules import add_rule_options

if TYPE_CHECKING:
    from retryscope_service.stack.stack import StackAddresses

ADDRESSES = """\
Prometheus and Alertmanager watch {service}  (Ctrl-C ends them, a second one kills them)

  {prometheus}/graph   queries
  {prometheus}/alerts  the state of each alert
  {alertmanager}/#/alerts  what is firing
  {service}/alerts  what was delivered to the service

Try, in another terminal:
  retryscope load --url {service} --scenario failures --duration 5m{hint}
"""


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "stack",
        help="run Prometheus and Alertmanager, found on the PATH, against a running service",
        description="Run Prometheus and Alertmanager, found on the PATH, on 127.0.0.1 with the shipped"
        " configuration, alert rules included, until Ctrl-C.",
        epilog="The API token is read from RETRYSCOPE_API_TOKEN or /run/secrets/retryscope_api_token."
        " Exit status: 0; 1: one of them ended by itself; 2: they can't be started.",
    )
    parser.add_argument(
        "--url", type=base_url, default="http://127.0.0.1:8080", help="the service (default %(default)s)"
    )
    for name, port in (("prometheus", 9090), ("alertmanager", 9093)):
        parser.add_argument(
            f"--{name}-port", type=whole(0, 65535), default=port, help="0: a free one (default %(default)s)"
        )
    add_rule_options(parser)
    parser.add_argument(
        "--grafana-url",
        type=base_url,
        metavar="URL",
        help="Grafana with the dashboards, for links to them (default: the one that FILE names, or none)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="keep what they store (default: thrown away at the end)"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from retryscope_service.stack.errors import ProgramEndedError, StackError
    from retryscope_service.stack.stack import StackOptions, run_stack

    asked = StackOptions(
        url=options.url,
        token=read_token(),
        prometheus_port=options.prometheus_port,
        alertmanager_port=options.alertmanager_port,
        scale=options.scale,
        slo=options.slo,
        grafana_url=options.grafana_url,
        data=options.data,
    )

    def announce(addresses: "StackAddresses") -> None:
        hint = (
            ""
            if asked.scale < 1
            else "\n  (the first alert needs minutes; with `retryscope stack --scale 0.005` seconds)"
        )
        say(
            ADDRESSES.format(
                service=addresses.service,
                prometheus=addresses.prometheus,
                alertmanager=addresses.alertmanager,
                hint=hint,
            )
        )

    try:
        asyncio.run(run_stack(asked, announce))
    except StackError as error:
        raise CommandError(str(error)) from None
    except ProgramEndedError as error:
        say(f"retryscope: {error}")
        return 1
    return 0
