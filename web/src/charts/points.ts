/** The points of a chart, cut to what is shown. */

import type { History, Series } from "../api/types";

export type Step = 1 | 10;

export interface Window {
  readonly from: number;
  readonly to: number;
}

export function shownWindow(history: History, step: Step): Window {
  const resolution = history.resolutions.find((each) => each.step === step);
  return { from: history.time - (resolution?.length ?? 0) * step, to: history.time };
}

/** Time in seconds and value. */
export function pointsOf(series: Series, history: History, step: Step): [number, number | null][] {
  const resolution = history.resolutions.find((each) => each.step === step);
  if (resolution === undefined) return [];
  return (series.points[String(step)] ?? []).map((value, index) => [resolution.start + index * step, value]);
}

export function latestValue(series: Series, step: Step): number | null {
  return series.points[String(step)]?.at(-1) ?? null;
}

export interface TableRow {
  readonly time: number;
  readonly values: readonly (number | null)[];
}

const ROWS = 30;

/**
 * The chart as a table, the latest row first: the last value of each of about thirty equal parts.
 *
 * The parts are fixed in time, so that a row does not change once it is there.
 */
export function tableRows(allSeries: readonly Series[], history: History, step: Step): TableRow[] {
  const { from, to } = shownWindow(history, step);
  const part = Math.max(step, Math.round((to - from) / ROWS));
  const columns = allSeries.map((series) => lastByPart(pointsOf(series, history, step), part));
  const first = Math.ceil(from / part);
  const rows: TableRow[] = [];
  for (let index = Math.floor(to / part) - 1; index >= first; index -= 1) {
    const values = columns.map((column) => column.get(index) ?? null);
    if (values.some((value) => value !== null)) rows.push({ time: (index + 1) * part, values });
  }
  return rows;
}

function lastByPart(points: readonly [number, number | null][], part: number): ReadonlyMap<number, number> {
  const last = new Map<number, number>();
  for (const [time, value] of points) if (value !== null) last.set(Math.floor(time / part), value);
  return last;
}
