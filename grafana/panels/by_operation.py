"""What all panels with a line per operation have in common."""

from grafana_foundation_sdk.builders.prometheus import Dataquery

from grafana.panel_kinds import MOST_LINES, query
from grafana.promql import worst

BY = ("workflow", "operation")
LEGEND = "{{operation}} {{workflow}}"
"""The operation first: where there is no room for both, it is what says more. Nothing is around the workflow:
the operations of somebody's own service have none."""


def worst_operations(expression: str) -> Dataquery:
    """A line for each of the operations with the greatest values."""
    return query(worst(expression, *BY, most=MOST_LINES), LEGEND)
