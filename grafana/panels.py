"""The kinds of panel, with what all panels of a kind have in common.

Every panel says what it means and what to do about it, has a unit, and says in words when it has no data.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common, heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.colours import GREEN, Colours, fixed
from grafana.variables import PROMETHEUS

NO_TRAFFIC = "No traffic in this time range"

Panel = timeseries.Panel | stat.Panel | heatmap.Panel | table.Panel
P = TypeVar("P", timeseries.Panel, stat.Panel, heatmap.Panel, table.Panel)
Steps = Mapping[float, str]
"""From which value on which colour; below the first one it is green, unless `-inf` says otherwise."""


def query(expression: str, legend: str, *, exemplar: bool = False) -> Dataquery:
    """An expression over the panel's time range."""
    target = _query(expression).range().legend_format(legend)
    return target.exemplar(True) if exemplar else target


def overall(expression: str, legend: str) -> Dataquery:
    """An expression over `$__range`: asked once, at the end of the time range."""
    return _query(expression).instant().legend_format(legend)


def latest(expression: str) -> Dataquery:
    """An expression's value now, as rows of a table."""
    return _query(expression).instant().format(PromQueryFormat.TABLE).legend_format("__auto")


def _query(expression: str) -> Dataquery:
    return Dataquery().datasource(PROMETHEUS).expr(expression).editor_mode(QueryEditorMode.CODE)


def described(panel: P, title: str, *, means: str, do: str, empty: str, width: int, height: int) -> P:
    """What every panel has, whatever its kind and its data source."""
    description = f"What it means: {means}\n\nWhat to do: {do}"
    return panel.title(title).description(description).no_value(empty).span(width).height(height)


def _steps(steps: Steps) -> ThresholdsConfig:
    ascending = sorted({-math.inf: GREEN, **steps}.items())
    thresholds = [Threshold(value=None if v == -math.inf else v, color=colour) for v, colour in ascending]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


def trend(
    title: str,
    *targets: Dataquery,
    means: str,
    do: str,
    unit: str,
    width: int = 12,
    empty: str = NO_TRAFFIC,
    colours: Colours | None = None,
    links: Sequence[DashboardLink] = (),
    lines: Steps | None = None,
    bottom: float | None = 0,
) -> timeseries.Panel:
    """Lines over time.

    Args:
        title: Of the panel.
        targets: Its queries.
        means: What it means.
        do: What to do about it.
        unit: Grafana's id of the unit.
        width: Of 24.
        empty: What it says instead of data.
        colours: Colour of a series by its legend.
        links: Where a click on a value leads.
        lines: Dashed lines at these values, as where an alert fires.
        bottom: Where the axis begins; None lets the data say.
    """
    panel = described(timeseries.Panel(), title, means=means, do=do, empty=empty, width=width, height=8)
    panel = (
        panel.datasource(PROMETHEUS)
        .targets(list(targets))
        .unit(unit)
        .fill_opacity(10)
        .show_points(VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .calcs(["mean", "max", "lastNotNull"])
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .data_links(list(links))
    )
    for legend, colour in (colours or {}).items():
        panel = panel.override_by_name(legend, [fixed(colour)])
    if lines:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_steps(lines)).thresholds_style(style)
    return panel if bottom is None else panel.min(bottom)


def number(
    title: str,
    target: Dataquery,
    *,
    means: str,
    do: str,
    unit: str,
    width: int = 4,
    empty: str = NO_TRAFFIC,
    steps: Steps | None = None,
    links: Sequence[DashboardLink] = (),
) -> stat.Panel:
    """One number, its background coloured by ``steps``."""
    panel = described(stat.Panel(), title, means=means, do=do, empty=empty, width=width, height=4)
    mode = BigValueColorMode.BACKGROUND if steps else BigValueColorMode.VALUE
    return (
        panel.datasource(PROMETHEUS)
        .with_target(target)
        .unit(unit)
        .thresholds(_steps(steps or {}))
        .color_mode(mode)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .data_links(list(links))
    )


def distribution(
    title: str,
    buckets: str,
    *,
    means: str,
    do: str,
    unit: str,
    width: int = 12,
    empty: str = NO_TRAFFIC,
    exemplar: bool = False,
    links: Sequence[DashboardLink] = (),
) -> heatmap.Panel:
    """A heatmap of the rates of a histogram's buckets, by ``le``.

    Args:
        title: Of the panel.
        buckets: Rate of each bucket.
        means: What it means.
        do: What to do about it.
        unit: Of what was observed; the cells are observations a second.
        width: Of 24.
        empty: What it says instead of data.
        exemplar: Whether exemplars are drawn.
        links: Where a click on a value leads.
    """
    panel = described(heatmap.Panel(), title, means=means, do=do, empty=empty, width=width, height=8)
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    return (
        panel.datasource(PROMETHEUS)
        .with_target(query(buckets, "{{le}}", exemplar=exemplar).format(PromQueryFormat.HEATMAP))
        .unit("ops")
        .cell_values(heatmap.CellValues().unit("ops"))
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .color(colours.exponent(0.5).fill("dark-blue"))
        .exemplars_color("red")
        .tooltip(heatmap.HeatmapTooltip().mode(TooltipDisplayMode.SINGLE).y_histogram(True))
        .show_legend()
        .data_links(list(links))
    )


def rows(
    title: str,
    columns: Mapping[str, tuple[str, str]],
    *,
    by: Mapping[str, str],
    means: str,
    do: str,
    width: int = 24,
    height: int = 8,
    empty: str = NO_TRAFFIC,
    links: Mapping[str, Sequence[DashboardLink]] | None = None,
) -> table.Panel:
    """A table with a row per label set.

    Args:
        title: Of the panel.
        columns: Expression and unit by heading.
        by: Heading of each label that makes a row.
        means: What it means.
        do: What to do about it.
        width: Of 24.
        height: In rows of the grid.
        empty: What it says instead of data.
        links: Where a click on a column's cell leads, by heading.
    """
    panel = described(table.Panel(), title, means=means, do=do, empty=empty, width=width, height=height)
    panel = panel.datasource(PROMETHEUS).unit("short")
    names: dict[str, str] = dict(by)
    # One query has one letter; the merged table names its values after them.
    for letter, (heading, (expression, unit)) in zip("ABCDEFGHIJKL", columns.items(), strict=False):
        panel = panel.with_target(latest(expression).ref_id(letter))
        panel = panel.override_by_name(heading, [DynamicConfigValue(id_val="unit", value=unit)])
        names[f"Value #{letter}" if len(columns) > 1 else "Value"] = heading
    for heading, targets in (links or {}).items():
        value = [{"title": link.build().title, "url": link.build().url} for link in targets]
        panel = panel.override_by_name(heading, [DynamicConfigValue(id_val="links", value=value)])
    # `joinByField` would need one label; `merge` takes all that are equal.
    shape = {"excludeByName": {"Time": True}, "renameByName": names}
    return panel.with_transformation(DataTransformerConfig(id_val="merge", options={})).with_transformation(
        DataTransformerConfig(id_val="organize", options=shape)
    )
