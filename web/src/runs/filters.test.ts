import { expect, test } from "vitest";
import { engineQuery, type Filters, filterPath, matches, NO_FILTERS as NONE, readFilters } from "./filters";
import type { RunRowData } from "./row";

const ROW: RunRowData = {
  id: "3f2a",
  kind: "background",
  workflow: "retry",
  state: "ended",
  status: "cancelled",
  startedAt: 1,
  endedAt: 2,
  counts: { attempts: 3, retries: 2 },
  tasks: null,
  error: null,
  errorTypes: ["OSError"],
  cancelCause: "request",
  text: "3f2a retry cancelled background request",
};

test("filters are in the address, and come back from it", () => {
  const filters: Filters = {
    text: "a&b c",
    status: "error",
    workflow: "retry",
    retried: true,
    failures: "some",
    error: "ValueError",
    since: "15m",
    until: "2026-01-31T12:00Z",
  };
  expect(readFilters(new URL(filterPath(filters), "http://h").search)).toEqual(filters);
  expect(filterPath(NONE)).toBe("/runs");
});

test.each<[Partial<Filters>, boolean]>([
  [{}, true],
  [{ text: "RETRY 3f2" }, true],
  [{ text: "request" }, true],
  [{ text: "retry success" }, false],
  [{ status: "cancelled", workflow: "retry", retried: true }, true],
  [{ status: "error" }, false],
  [{ workflow: "timeouts" }, false],
  [{ error: "OSError" }, true],
  [{ error: "OS" }, false],
  [{ since: "5m" }, false],
  [{ since: "1970-01-01T00:00:01Z", until: "1970-01-01T00:00:01Z" }, true],
  [{ since: "1970-01-01T00:00:02Z" }, false],
  [{ until: "1970-01-01T00:00:00Z" }, false],
  [{ since: "yesterday" }, true],
])("%j matches: %s", (filters, expected) => {
  expect(matches(ROW, { ...NONE, ...filters })).toBe(expected);
});

test("a run without retries, or of which nobody counted them, was not retried", () => {
  const retried = { ...NONE, retried: true };
  expect(matches({ ...ROW, counts: { attempts: 1, retries: 0 } }, retried)).toBe(false);
  expect(matches({ ...ROW, counts: null }, retried)).toBe(false);
});

test("the engine is asked for what it can filter", () => {
  expect(engineQuery({ ...NONE, status: "running", workflow: "retry" })).toEqual({
    limit: "50",
    state: "running",
    workflow: "retry",
  });
  expect(engineQuery({ ...NONE, status: "timeout" })).toEqual({ limit: "50", outcome: "timeout" });
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const filters = { ...NONE, failures: "some", error: "ValueError", until: "1970-01-01T00:00:01Z" };
  expect(engineQuery({ ...filters, text: ` ${traceId.toUpperCase()} ` })).toEqual({
    limit: "50",
    failures: "some",
    error_type: "ValueError",
    until: "1970-01-01T00:00:01.000Z",
    trace_id: traceId,
  });
  expect(engineQuery({ ...NONE, failures: "?", since: "?" })).toEqual({ limit: "50" });
});

const TASKS = { running: 0, succeeded: 3, failed: 0, timed_out: 0, cancelled: 0 };

test.each<[Partial<RunRowData>, string | null]>([
  [{ status: "success", tasks: TASKS }, "none"],
  [{ status: "success", tasks: { ...TASKS, failed: 1 } }, "some"],
  [{ status: "success", tasks: { ...TASKS, timed_out: 1 } }, "some"],
  [{ status: "success", tasks: { ...TASKS, cancelled: 1 } }, "none"],
  [{ status: "exhausted" }, "some"],
  [{ status: "running", state: "running", tasks: TASKS }, null],
  [{ status: "running", state: "running", tasks: { ...TASKS, failed: 1 } }, "some"],
])("%j has failures: %s", (row, expected) => {
  const found = ["some", "none"].filter((failures) => matches({ ...ROW, ...row }, { ...NONE, failures }));
  expect(found).toEqual(expected === null ? [] : [expected]);
});
