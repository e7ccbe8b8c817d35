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
    DashboardRangeMapOptions,
    DashboardSpecialValueMapOptions,
    RangeMap,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.colours import GREEN, GREY, Colours, fixed
from grafana.variables import PROMETHEUS

NO_TRAFFIC = "No traffic in this time range"
PER_SECOND = "suffix:/s"
"""Grafana's `ops` repeats "ops/s" at each tick, and its `cps` reads "c/s"."""
MOST_LINES = 8
"""Of one panel: as many names as fit beside it. There may be 200 operations."""

Panel = timeseries.Panel | stat.Panel | heatmap.Panel | table.Panel
P = TypeVar("P", timeseries.Panel, stat.Panel, heatmap.Panel, table.Panel)
Steps = Mapping[float, str]
"""From which value on which colour; below the first one it is green, unless `-inf` says otherwise."""


def query(expression: str, legend: str, *, exemplar: bool = False) -> Dataquery:
    """An expression over the panel's time range."""
    target = asked(expression).range().legend_format(legend)
    return target.exemplar(True) if exemplar else target


def current(expression: str, legend: str) -> Dataquery:
    """An expression of which one number, the last one, is shown.

    Where it has no value it is NaN: else Grafana would show the last value that there was, however old.
    """
    return query(f"{expression.rstrip()}\nor vector(NaN)", legend)


def overall(expression: str, legend: str) -> Dataquery:
    """An expression over `$__range`: asked once, at the end of the time range."""
    return asked(expression).instant().legend_format(legend)


def asked(expression: str) -> Dataquery:
    """An expression, asked of Prometheus."""
    return Dataquery().datasource(PROMETHEUS).expr(expression).editor_mode(QueryEditorMode.CODE)


def described(panel: P, title: str, *, means: str, do: str, empty: str, width: int, height: int) -> P:
    """What every panel has, whatever its kind and its data source."""
    description = f"What it means: {means}\n\nWhat to do: {do}"
    return panel.title(title).description(description).no_value(empty).span(width).height(height)


def coloured(steps: Steps) -> ThresholdsConfig:
    """The colours of values, and where they begin."""
    ascending = sorted({-math.inf: GREEN, **steps}.items())
    thresholds = [Threshold(value=None if v == -math.inf else v, color=colour) for v, colour in ascending]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


def without_value(text: str, colour: str | None = None) -> ValueMapping:
    """What stands in the place of a value that is not there, in a colour that says neither good nor bad."""
    return _instead_of(SpecialValueMatch.NULL_AND_NAN, text, colour)


def without_text(text: str) -> ValueMapping:
    """What stands where a label is missing: of itself Grafana shows there what it shows of an empty panel."""
    return _instead_of(SpecialValueMatch.EMPTY, text)


def _instead_of(match: SpecialValueMatch, text: str, colour: str | None = None) -> ValueMapping:
    result = ValueMappingResult(text=text, color=colour, index=0)
    return SpecialValueMap(options=DashboardSpecialValueMapOptions(match=match, result=result))


def below_zero(text: str, colour: str) -> ValueMapping:
    """A word for everything below 0."""
    result = ValueMappingResult(text=text, color=colour, index=1)
    return RangeMap(options=DashboardRangeMapOptions(from_val=None, to=-0.000001, result=result))


def _room(unit: str, lines: Steps | None) -> float | None:
    """How far an axis reaches at least: thresholds do not stretch it, and 0 alone would go up to 10000 %."""
    if lines:
        return round(1.2 * max(lines), 4) or None
    if unit == PER_SECOND:
        return 1
    return 0.05 if unit == "percentunit" else None


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
    height: int = 8,
    legend: common.VizLegendOptions | None = None,
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
        height: In rows of the grid.
        legend: Another one than names beside the panel, the highest first.
    """
    panel = described(timeseries.Panel(), title, means=means, do=do, empty=empty, width=width, height=height)
    panel = (
        panel.datasource(PROMETHEUS)
        .targets(list(targets))
        .unit(unit)
        .fill_opacity(0)
        .show_points(VisibilityMode.AUTO)
        .legend(legend or names_beside())
        .tooltip(
            common.VizTooltipOptions()
            .mode(TooltipDisplayMode.MULTI)
            .sort(SortOrder.DESCENDING)
            .hide_zeros(True)
        )
        .data_links(list(links))
    )
    room = _room(unit, lines)
    if room is not None and bottom is not None:
        panel = panel.axis_soft_max(room)
    for name, colour in (colours or {}).items():
        panel = panel.override_by_name(name, [fixed(colour)])
    if lines:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(coloured(lines)).thresholds_style(style)
    return panel if bottom is None else panel.min(bottom)


def names_beside() -> common.VizLegendOptions:
    """Names at the right, the highest first: there is room for all of them, at the bottom for two."""
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
        .width(365)
        .calcs(["max", "last"])
        .sort_by("Max")
        .sort_desc(True)
        .show_legend(True)
    )


def names_below() -> common.VizLegendOptions:
    """A line of few names under a narrow panel."""
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .calcs([])
        .show_legend(True)
    )


def number(
    title: str,
    target: Dataquery,
    *,
    means: str,
    do: str,
    unit: str,
    width: int = 4,
    height: int = 4,
    empty: str = NO_TRAFFIC,
    unknown: str = "no traffic",
    words: Sequence[ValueMapping] = (),
    steps: Steps | None = None,
    curve: bool = True,
    links: Sequence[DashboardLink] = (),
) -> stat.Panel:
    """One number, its background coloured by ``steps``.

    Args:
        title: Of the panel.
        target: Its query.
        means: What it means.
        do: What to do about it.
        unit: Grafana's id of the unit.
        width: Of 24.
        height: In rows of the grid.
        empty: What no value means.
        unknown: The same in two words, as large as the number would be.
        words: Words for some values.
        steps: Colours of the background.
        curve: Whether the time range is drawn behind it.
        links: Where a click leads.
    """
    panel = described(stat.Panel(), title, means=means, do=do, empty=empty, width=width, height=height)
    mode = BigValueColorMode.BACKGROUND_SOLID if steps else BigValueColorMode.VALUE
    return (
        panel.datasource(PROMETHEUS)
        .with_target(target)
        .unit(unit)
        .thresholds(coloured(steps or {}))
        .color_mode(mode)
        .graph_mode(BigValueGraphMode.AREA if curve else BigValueGraphMode.NONE)
        .mappings([without_value(unknown, GREY), *words])
        .reduce_options(common.ReduceDataOptions().calcs(["last"]))
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
        .unit(PER_SECOND)
        .cell_values(heatmap.CellValues().unit(PER_SECOND))
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .color(colours.exponent(0.5).fill("dark-blue"))
        .exemplars_color("red")
        .tooltip(heatmap.HeatmapTooltip().mode(TooltipDisplayMode.SINGLE).y_histogram(True))
        .show_legend()
        .data_links(list(links))
    )
