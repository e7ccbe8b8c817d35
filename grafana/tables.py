"""Tables: a row per label set, the worst first, its numbers coloured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import TableCellHeight
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, ValueMapping
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.panel_kinds import NO_TRAFFIC, Steps, asked, coloured, described, without_text, without_value
from grafana.variables import PROMETHEUS

NUMBER_WIDTH = 92
"""Of a column, in pixels; names share the rest."""


def latest(expression: str) -> Dataquery:
    """An expression's value now, as rows of a table."""
    return asked(expression).instant().format(PromQueryFormat.TABLE).legend_format("__auto")


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        expression: Its values, by the labels that make a row.
        unit: Grafana's id of the unit.
        steps: Colours of the cell.
        words: Words for some values.
    """

    expression: str
    unit: str
    steps: Steps | None = None
    words: Sequence[ValueMapping] = ()


def rows(
    title: str,
    columns: Mapping[str, Column],
    *,
    by: Mapping[str, str],
    worst_by: str,
    means: str,
    do: str,
    width: int = 24,
    height: int = 8,
    empty: str = NO_TRAFFIC,
    most: int | None = None,
    hidden: Sequence[str] = (),
    widths: Mapping[str, int] | None = None,
    links: Mapping[str, Sequence[DashboardLink]] | None = None,
) -> table.Panel:
    """A table with a row per label set, in pages of as many rows as there is room for.

    Args:
        title: Of the panel.
        columns: By heading.
        by: Heading of each label that makes a row.
        worst_by: Heading of the column whose greatest value comes first.
        means: What it means.
        do: What to do about it.
        width: Of 24.
        height: In rows of the grid.
        empty: What it says instead of data.
        most: Rows, if only the worst ones are shown; there must be room for them.
        hidden: Headings of columns that only links use.
        widths: Of columns of names, in pixels, by heading; the others share what is left.
        links: Where a click on a column's cell leads, by heading.
    """
    panel = described(table.Panel(), title, means=means, do=do, empty=empty, width=width, height=height)
    panel = panel.datasource(PROMETHEUS).unit("short").mappings([without_value("-"), without_text("-")])
    panel = panel.sort_by([common.TableSortByFieldState().display_name(worst_by).desc(True)])
    panel = narrow(panel) if most else in_pages(panel)
    names: dict[str, str] = dict(by)
    # One query has one letter; the merged table names its values after them.
    for letter, (heading, column) in zip("ABCDEFGHIJKL", columns.items(), strict=False):
        panel = panel.with_target(latest(column.expression).ref_id(letter))
        panel = panel.override_by_name(heading, _shown(column))
        names[f"Value #{letter}" if len(columns) > 1 else "Value"] = heading
    for heading, targets in (links or {}).items():
        value = [{"title": link.build().title, "url": link.build().url} for link in targets]
        panel = panel.override_by_name(heading, [DynamicConfigValue(id_val="links", value=value)])
    for heading in hidden:
        panel = without_column(panel, heading)
    for heading, pixels in (widths or {}).items():
        panel = panel.override_by_name(heading, [width_of(pixels)])
    # `joinByField` would need one label; `merge` takes all that are equal.
    order = {name: place for place, name in enumerate(names)}
    shape = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
    steps: dict[str, object] = {"merge": {}, "organize": shape}
    if most:
        steps |= {"sortBy": {"sort": [{"field": worst_by, "desc": True}]}, "limit": {"limitField": most}}
    for name, options in steps.items():
        panel = panel.with_transformation(DataTransformerConfig(id_val=name, options=options))
    return panel


def width_of(pixels: int) -> DynamicConfigValue:
    """The width of a column."""
    return DynamicConfigValue(id_val="custom.width", value=pixels)


def without_column(panel: table.Panel, heading: str) -> table.Panel:
    """The table without a column, which links may use all the same."""
    # One is what Grafana up to 12 calls it, the other what it calls it now.
    names = ("custom.hidden", "custom.hideFrom.viz")
    return panel.override_by_name(heading, [DynamicConfigValue(id_val=name, value=True) for name in names])


def narrow(panel: table.Panel) -> table.Panel:
    """The table with small rows, and columns that share the width: else what has no room is not seen."""
    return panel.cell_height(TableCellHeight.SM).min_width(50)


def in_pages(panel: table.Panel) -> table.Panel:
    """A narrow table with further pages instead of rows below its edge."""
    footer = common.TableFooterOptions().show(False).enable_pagination(True)
    return narrow(panel).footer(footer)


def _shown(column: Column) -> list[DynamicConfigValue]:
    properties = [
        DynamicConfigValue(id_val="unit", value=column.unit),
        width_of(NUMBER_WIDTH),
    ]
    if column.steps:
        steps = [{"color": step.color, "value": step.value} for step in coloured(column.steps).build().steps]
        properties += [
            DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": steps}),
            DynamicConfigValue(
                id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"}
            ),
        ]
    if column.steps or column.words:
        # Without a colour of its own, no value would have that of the lowest step.
        words = [without_value("-", "transparent"), *column.words]
        properties.append(DynamicConfigValue(id_val="mappings", value=words))
    return properties
