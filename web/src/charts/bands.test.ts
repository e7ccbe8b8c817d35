import { expect, test } from "vitest";
import type { AlertPeriod } from "../api/types";
import { bandsOf } from "./bands";

const period = (alert: string, from: number, to: number | null): AlertPeriod => ({
  alert,
  labels: {},
  severity: "critical",
  from,
  to,
});

test("a chart has the bands of its own alerts", () => {
  const history = [period("RetryStorm", 1, 2), period("Stalled", 3, 4)];
  expect(bandsOf("amplification", history)).toEqual([{ alert: "RetryStorm", from: 1, to: 2 }]);
  expect(bandsOf("latency", history)).toEqual([]);
});

test("the same alert with several labels is one band while they meet", () => {
  const history = [period("RetryStorm", 9, null), period("RetryStorm", 2, 5), period("RetryStorm", 1, 2)];
  expect(bandsOf("amplification", history)).toEqual([
    { alert: "RetryStorm", from: 1, to: 5 },
    { alert: "RetryStorm", from: 9, to: null },
  ]);
  expect(bandsOf("amplification", [...history, period("RetryStorm", 10, 11)]).at(-1)?.to).toBeNull();
});
