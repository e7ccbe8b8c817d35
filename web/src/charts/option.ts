import type { ChartData, History } from "../api/types";
import { formatClock, formatValue } from "../format";
import { type Tone, toneOf } from "../theme/status";
import type { Band } from "./bands";
import type { EChartsCoreOption } from "./engine";
import { pointsOf, shownWindow, type Step } from "./points";

export type Palette = Readonly<Record<Tone | "fg" | "dim" | "line" | "panel", string>>;

/** Lines are told apart by their dashes too; the legend draws the same. */
export const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2, 1, 2, 1, 2]];
export const dashesOf = (index: number): readonly number[] => DASHES[index % DASHES.length] ?? [];

interface Drawn {
  readonly chart: ChartData;
  readonly history: History;
  readonly step: Step;
  readonly bands: readonly Band[];
  readonly palette: Palette;
  readonly small: boolean;
}

/** What ECharts draws. */
export function chartOption({ chart, history, step, bands, palette, small }: Drawn): EChartsCoreOption {
  const { from, to } = shownWindow(history, step);
  const value = (each: unknown): string =>
    typeof each === "number" ? formatValue(each, chart.unit) : "no value";
  const lines = chart.series.map((series) => pointsOf(series, history, step));
  const highest = Math.max(0, ...lines.flat().map(([, each]) => each ?? 0));
  const { top, parts } = niceScale(Math.max(highest, (chart.threshold?.value ?? 0) * 1.15));
  const text = { color: palette.dim, fontSize: 11 };
  return {
    animation: false,
    backgroundColor: "transparent",
    grid: { left: 8, right: 10, top: 10, bottom: 4, containLabel: true },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: palette.panel,
      borderColor: palette.line,
      textStyle: { color: palette.fg, fontSize: 12 },
      axisPointer: { lineStyle: { color: palette.dim } },
      valueFormatter: value,
    },
    xAxis: {
      type: "time",
      min: from * 1000,
      max: to * 1000,
      splitNumber: small ? 3 : 5,
      axisLabel: {
        ...text,
        hideOverlap: true,
        formatter: (time: number) => formatClock(time / 1000).slice(0, 5),
      },
      axisLine: { lineStyle: { color: palette.line } },
    },
    yAxis: {
      type: "value",
      min: 0,
      max: top,
      interval: top / (small ? 2 : parts),
      axisLabel: { ...text, formatter: value },
      splitLine: { lineStyle: { color: palette.line } },
    },
    series: chart.series.map((series, index) => ({
      type: "line",
      name: series.label,
      data: lines[index]?.map(([time, each]) => [time * 1000, each]),
      color: palette[toneOf(series.color)],
      lineStyle: { width: 2, type: dashesOf(index).length === 0 ? "solid" : dashesOf(index) },
      showSymbol: false,
      silent: true,
      ...(index === 0 ? marks({ chart, bands, palette, small, to }) : {}),
    })),
  };
}

/** Threshold and firing alerts, in words as well. */
function marks({
  chart,
  bands,
  palette,
  small,
  to,
}: Omit<Drawn, "history" | "step"> & { readonly to: number }) {
  const label = { color: palette.fg, fontSize: 10, textBorderColor: palette.panel, textBorderWidth: 2 };
  return {
    markLine: chart.threshold && {
      silent: true,
      symbol: "none",
      animation: false,
      data: [{ yAxis: chart.threshold.value }],
      lineStyle: { color: palette.error, type: [6, 4], width: 1.5 },
      label: { ...label, show: !small, position: "insideStartTop", formatter: chart.threshold.label },
    },
    markArea: {
      silent: true,
      animation: false,
      itemStyle: { color: palette.error, opacity: 0.14 },
      label: { ...label, show: !small, position: "insideTop", distance: 2 },
      data: bands.map((band) => [
        { xAxis: band.from * 1000, name: `▲ ${band.alert}` },
        { xAxis: (band.to ?? to) * 1000 },
      ]),
    },
  };
}

/** Up to the next of 1, 2, 2.5, 5, 10, …, in round parts: the scale does not change with each value. */
export function niceScale(highest: number): { readonly top: number; readonly parts: number } {
  if (!(highest > 0)) return { top: 1, parts: 4 };
  const power = 10 ** Math.floor(Math.log10(highest));
  const factor = [1, 2, 2.5, 5, 10].find((each) => each * power >= highest * 0.999999) ?? 10;
  return { top: factor * power, parts: factor === 2 ? 4 : 5 };
}
