import { expect, test } from "vitest";
import type { History, Points } from "../api/types";
import { appended } from "./appended";

function historyOf(points: Points, start = 100, length = 4): History {
  const series = { key: "a", label: "a", color: "neutral" as const, points: { "1": points } };
  const chart = {
    id: "c",
    title: "C",
    unit: "s" as const,
    description: "",
    promql: "",
    traceql: null,
    threshold: null,
  };
  return { time: start, resolutions: [{ step: 1, start, length }], charts: [{ ...chart, series: [series] }] };
}

function after(
  history: History,
  time: number,
  value: number,
): { points: Points | undefined; start: number | undefined } {
  const next = appended(history, { time, values: { a: value } });
  return { points: next.charts[0]?.series[0]?.points["1"], start: next.resolutions[0]?.start };
}

test("a second is appended, and the oldest makes room", () => {
  expect(after(historyOf([1, 2]), 102, 3)).toEqual({ points: [1, 2, 3], start: 100 });
  expect(after(historyOf([1, 2, 3, 4]), 104, 5)).toEqual({ points: [2, 3, 4, 5], start: 101 });
});

test("seconds without a value are a gap, not a line", () => {
  expect(after(historyOf([1]), 103, 4)).toEqual({ points: [1, null, null, 4], start: 100 });
  expect(after(historyOf([1, 2, 3, 4]), 110, 9)).toEqual({ points: [null, null, null, 9], start: 107 });
});

test("the value of the second in which the history was read fills its place", () => {
  expect(after(historyOf([1, null]), 101.2, 2).points).toEqual([1, 2]);
  expect(after(historyOf([1, 7]), 101, 2).points).toEqual([1, 7]);
});
