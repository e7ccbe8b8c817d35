import { expect, test } from "vitest";
import { engineQuery, type Filters, filterPath, matches, readFilters } from "./filters";
import type { RunRowData } from "./row";

const ROW: RunRowData = {
  id: "3f2a",
  kind: "background",
  workflow: "retry",
  state: "ended",
  status: "cancelled",
  startedAt: 1,
  endedAt: 2,
  counts: { attempts: 3, retries: 2, failures: 2 },
  cancelCause: "request",
  text: "3f2a retry cancelled background request",
};
const NONE: Filters = { text: "", status: "", workflow: "", retried: false };

test("filters are in the address, and come back from it", () => {
  const filters: Filters = { text: "a&b c", status: "error", workflow: "retry", retried: true };
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
])("%j matches: %s", (filters, expected) => {
  expect(matches(ROW, { ...NONE, ...filters })).toBe(expected);
});

test("a run without retries, or of which nobody counted them, was not retried", () => {
  const retried = { ...NONE, retried: true };
  expect(matches({ ...ROW, counts: { attempts: 1, retries: 0, failures: 0 } }, retried)).toBe(false);
  expect(matches({ ...ROW, counts: null }, retried)).toBe(false);
});

test("the engine is asked for what it can filter", () => {
  expect(engineQuery({ ...NONE, status: "running", workflow: "retry" })).toEqual({
    limit: "50",
    state: "running",
    workflow: "retry",
  });
  expect(engineQuery({ ...NONE, status: "timeout" })).toEqual({ limit: "50", outcome: "timeout" });
});
