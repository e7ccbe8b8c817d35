import { expect, test } from "vitest";
import type { History, Series } from "../api/types";
import { niceScale } from "./option";
import { tableRows } from "./points";

const SERIES: Series = { key: "a", label: "a", color: "neutral", points: { "1": [] } };

function historyUntil(time: number): History {
  return { time, resolutions: [{ step: 1, start: time - 900, length: 900 }], charts: [] };
}

test("a table has the last value of each half minute that is over, the latest first", () => {
  const points = Array.from({ length: 900 }, (_, index) => (index < 840 ? null : index));
  const rows = tableRows([{ ...SERIES, points: { "1": points } }], historyUntil(1800), 1);
  expect(rows).toEqual([
    { time: 1800, values: [899] },
    { time: 1770, values: [869] },
  ]);
});

test("a row does not change while time goes on", () => {
  const at = (time: number) => {
    const points = Array.from({ length: 900 }, (_, index) => time - 900 + index);
    return tableRows([{ ...SERIES, points: { "1": points } }], historyUntil(time), 1)[0];
  };
  expect(at(1817)).toEqual(at(1800));
  expect(at(1830)).not.toEqual(at(1800));
});

test.each([
  [0, 1],
  [0.144, 0.2],
  [2.3, 2.5],
  [9.1, 10],
  [1200, 2000],
])("a highest value of %s needs a scale up to %s", (highest, top) => {
  expect(niceScale(highest).top).toBeCloseTo(top);
});
