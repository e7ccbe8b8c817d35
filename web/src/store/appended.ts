import type { History, Points, Resolution, StreamEvents } from "../api/types";

/** The history with one more second. */
export function appended(
  history: History,
  { time, values }: Pick<StreamEvents["metrics"], "time" | "values">,
): History {
  const resolution = history.resolutions.find(({ step }) => step === 1);
  if (resolution === undefined) return history;
  const index = Math.round((time - resolution.start) / resolution.step);
  if (index < 0) return history;
  const dropped = Math.max(0, index + 1 - resolution.length);
  const charts = history.charts.map((chart) => ({
    ...chart,
    series: chart.series.map((series) => ({
      ...series,
      points: {
        ...series.points,
        "1": grown(series.points["1"] ?? [], index, dropped, values[series.key] ?? null),
      },
    })),
  }));
  const moved: Resolution = { ...resolution, start: resolution.start + dropped * resolution.step };
  const resolutions = history.resolutions.map((each) => (each === resolution ? moved : each));
  return { time, resolutions, charts };
}

/** Points with `value` at `index`, null for seconds that were missed, without the oldest `dropped`. */
function grown(points: Points, index: number, dropped: number, value: number | null): Points {
  // The history may have been read in the very second whose value comes now.
  if (index < points.length) return points.with(index, points[index] ?? value);
  if (dropped > points.length) return [...Array<null>(index - dropped).fill(null), value];
  return [...points.slice(dropped), ...Array<null>(index - points.length).fill(null), value];
}
