"""Which metrics are used at all."""

from pathlib import Path

import yaml

from tests.support.dashboards.model import Json
from tests.support.dashboards.queries import expressions
from tests.support.known import families_in


def used_families(dashboards: list[Json], rules: Path) -> set[str]:
    """Families that a panel, an annotation or a rule asks for; a variable alone shows nothing."""
    used: set[str] = set()
    for dashboard in dashboards:
        for where, expression in expressions(dashboard):
            used |= set() if where.startswith("$") else families_in(expression)
    for path in rules.glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                used |= families_in(rule["expr"])
    return used
