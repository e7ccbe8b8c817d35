import { describe, expect, it } from "vitest";
import type { RunRecord, RunSummary } from "../api/types";
import { RETRY, span } from "../waterfall/fixtures";
import { factsOf, findRunSpan, spansOf } from "./facts";

const SUMMARY: RunSummary = {
  id: "run",
  kind: "background",
  workflow: "retry",
  trace_id: "t",
  span_id: "w",
  state: "running",
  outcome: null,
  started_at: 100,
  ended_at: null,
  attempts: 2,
  retries: 1,
  failures: 1,
  cancel_cause: null,
  cancel_requested_at: null,
  tasks: { running: 1, succeeded: 0, failed: 0, timed_out: 0, cancelled: 0 },
  error: null,
  error_types: [],
};
const RECORD: RunRecord = {
  id: "run",
  workflow: "retry",
  params: {},
  state: "running",
  submitted_at: "2026-01-01T00:00:00Z",
  delivery: 1,
  handed_back: 0,
};

describe("the run's span", () => {
  const delivery = (id: string, start: number) =>
    span({ id, kind: "workflow", start, attributes: { "retryscope.run.id": "run" } });

  it("is the last delivery of a background run", () => {
    const other = span({ id: "other", kind: "workflow", start: 9 });
    expect(findRunSpan([delivery("one", 1), delivery("two", 2), other], "run", null)?.id).toBe("two");
  });

  it("is the span of the address of an inline run, or none", () => {
    expect(findRunSpan(RETRY, "t-w", "w")?.id).toBe("w");
    expect(findRunSpan(RETRY, "t-x", "x")).toBeNull();
  });

  it("holds everything inside it, and nothing else", () => {
    const spans = [...RETRY, span({ id: "elsewhere", kind: "attempt" })];
    expect(
      spansOf(spans, RETRY[0]!)
        .map((each) => each.id)
        .sort(),
    ).toEqual(["a1", "a2", "b1", "r", "w"]);
    expect(spansOf(spans, null)).toHaveLength(6);
  });
});

describe("factsOf", () => {
  it("counts in the trace what no summary says", () => {
    const facts = factsOf(undefined, null, RETRY[0]!, RETRY);
    expect(facts).toMatchObject({ status: "success", ended: true, attempts: 2, retries: 1, failures: 1 });
    expect(facts.backoff).toBeCloseTo(0.5);
    expect(facts.endedAt).toBe(100.9);
  });

  it("counts nothing where the run's own span is not here", () => {
    const unseen = factsOf(undefined, RECORD, null, [span({ id: "request", kind: "server" })]);
    expect(unseen).toMatchObject({ attempts: null, retries: null, backoff: null });
    expect(factsOf(SUMMARY, RECORD, null, [])).toMatchObject({ attempts: 2, retries: 1, backoff: null });
  });

  it("shows a cancel as soon as the service has taken it", () => {
    expect(factsOf(SUMMARY, { ...RECORD, state: "cancelling" }, null, []).status).toBe("cancelling");
  });

  it("believes its own eyes that a run has ended, or that it no longer waits", () => {
    const ended: RunSummary = { ...SUMMARY, state: "ended", outcome: "cancelled", ended_at: 101 };
    expect(factsOf(ended, { ...RECORD, state: "cancelling" }, null, []).status).toBe("cancelled");
    expect(factsOf(SUMMARY, { ...RECORD, state: "queued" }, null, []).status).toBe("running");
  });

  it("knows from the record what happens at another process", () => {
    expect(factsOf(undefined, { ...RECORD, state: "queued", delivery: 0 }, null, [])).toMatchObject({
      status: "queued",
      ended: false,
      delivery: null,
    });
    expect(factsOf(undefined, { ...RECORD, state: "lost" }, null, [])).toMatchObject({
      status: "lost",
      ended: true,
    });
    const failed: RunRecord = { ...RECORD, state: "failed", outcome: "exhausted" };
    expect(factsOf(undefined, failed, null, []).status).toBe("exhausted");
  });

  it("tells the tasks from whoever knows them: the summary, the run's span, the record", () => {
    const attributes = {
      "retryscope.run.tasks.succeeded": 1,
      "retryscope.run.tasks.failed": 2,
      "retryscope.run.attempts": 3,
    };
    const root = span({ id: "w", kind: "workflow", attributes });
    const tasks = { running: 0, succeeded: 1, failed: 2, timed_out: 0, cancelled: 0 };
    expect(factsOf(SUMMARY, null, root, [root])).toMatchObject({ tasks: SUMMARY.tasks, attempts: 2 });
    expect(factsOf(undefined, null, root, [root])).toMatchObject({ tasks, attempts: 3 });
    const error = { type: "ValueError", message: "no" };
    const result = {
      counts: { succeeded: 1, failed: 2, timed_out: 0, cancelled: 0 },
      tasks: [{ attempts: 1 }, { attempts: 4, error }, { attempts: 1 }],
    };
    const record: RunRecord = { ...RECORD, state: "succeeded", outcome: "success", result };
    expect(factsOf(undefined, record, null, [])).toMatchObject({ tasks, attempts: 6, retries: 3, error });
  });
});
