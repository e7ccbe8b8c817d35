"""``retryscope rules``: the recording and alerting rules."""

import argparse
import sys
from pathlib import Path

from retryscope_service.cli.arguments import Commands, number
from retryscope_service.cli.output import CommandError


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "rules", help="print the recording and alerting rules, generated from the SLO definition"
    )
    add_rule_options(parser)
    parser.add_argument(
        "--floor",
        type=number(0, 86_400),
        metavar="SECONDS",
        help="shortest window and `for` that --scale may make: four scrape intervals (default: four of those"
        " that `retryscope stack` has at this scale)",
    )
    parser.add_argument(
        "--format",
        choices=("prometheus", "kubernetes"),
        default="prometheus",
        help="a rules file, or a PrometheusRule for the Prometheus operator (default %(default)s)",
    )
    parser.set_defaults(run=_run)


def add_rule_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which rules."""
    parser.add_argument(
        "--slo", type=Path, metavar="FILE", help="the SLO definition (default: the one that comes with it)"
    )
    parser.add_argument(
        "--scale",
        type=number(0, 1, above=True),
        default=1.0,
        help="factor on every window and delay: 0.005 turns 5 minutes into 1.5 seconds (default 1)",
    )


def _run(options: argparse.Namespace) -> int:
    from retryscope_service.slo.definition import read_definition
    from retryscope_service.slo.rules import prometheus_rule, render_rules
    from retryscope_service.stack.stack import shortest_window_here

    definition = read_definition(options.slo)
    if options.format == "prometheus":
        floor = shortest_window_here(options.scale) if options.floor is None else options.floor
        text = render_rules(definition, scale=options.scale, floor_seconds=floor)
    elif (options.scale, options.floor or 0) != (1, 0):
        raise CommandError("--scale and --floor are for --format prometheus: a cluster has the real rules")
    else:
        text = prometheus_rule(definition)
    sys.stdout.write(text)
    return 0
