import { expect, test } from "vitest";
import type { RunSummary } from "../api/types";
import { applyRuns, currentRun, currentRuns } from "./runs";

const run = (number: number, outcome: RunSummary["outcome"]): RunSummary => ({
  id: `run-${number}`,
  kind: "inline",
  workflow: "retry",
  trace_id: "",
  span_id: "",
  state: "ended",
  outcome,
  started_at: number,
  ended_at: number + 0.5,
  attempts: 1,
  retries: 0,
  failures: 0,
  cancel_cause: null,
});

test("plain successes are forgotten before what failed or was retried", () => {
  applyRuns([run(0, "exhausted"), { ...run(1, "success"), retries: 1 }, run(2, "cancelled")]);
  applyRuns(Array.from({ length: 2_000 }, (_, number) => run(number + 3, "success")));
  expect(currentRuns().ended.length).toBeLessThanOrEqual(600);
  expect([0, 1, 2, 3, 2_002].map((number) => currentRun(`run-${number}`) !== undefined)).toEqual([
    true,
    true,
    true,
    false,
    true,
  ]);
});
