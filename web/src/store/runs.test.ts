import { expect, test } from "vitest";
import type { RunSummary } from "../api/types";
import { applyRuns, currentRun, currentRuns } from "./runs";

const NO_TASKS = { running: 0, succeeded: 1, failed: 0, timed_out: 0, cancelled: 0 };

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
  cancel_requested_at: null,
  tasks: NO_TASKS,
  error: null,
  error_types: [],
});

test("plain successes are forgotten before what failed or was retried, also inside a success", () => {
  const notable = [
    run(0, "exhausted"),
    { ...run(1, "success"), retries: 1 },
    run(2, "cancelled"),
    { ...run(3, "success"), tasks: { ...NO_TASKS, timed_out: 1 } },
    { ...run(4, "success"), tasks: { ...NO_TASKS, cancelled: 1 } },
  ];
  applyRuns(notable);
  applyRuns(Array.from({ length: 2_000 }, (_, number) => run(number + 5, "success")));
  expect(currentRuns().ended.length).toBeLessThanOrEqual(600);
  expect(notable.filter(({ id }) => currentRun(id) === undefined)).toEqual([]);
  expect([5, 2_004].map((number) => currentRun(`run-${number}`) !== undefined)).toEqual([false, true]);
});
