import { expect, test } from "vitest";
import type { TaskCounts } from "../api/types";
import { errorText, errorsOfRecord, failuresText, shownStatus } from "./tasks";

const NONE: TaskCounts = { running: 0, succeeded: 0, failed: 0, timed_out: 0, cancelled: 0 };

test.each<[Partial<TaskCounts>, string | null]>([
  [{ succeeded: 21, failed: 9 }, "9 of 30 tasks failed"],
  [{ succeeded: 1, timed_out: 2 }, "2 of 3 tasks timed out"],
  [{ succeeded: 1, failed: 1, timed_out: 2, cancelled: 1 }, "1 of 5 tasks failed, 2 timed out"],
  [{ failed: 1 }, "1 of 1 task failed"],
  [{ running: 999, failed: 1 }, "1 of 1\u202f000 tasks failed"],
  [{ succeeded: 3, cancelled: 2 }, null],
])("%j reads %s", (counts, text) => {
  const tasks = { ...NONE, ...counts };
  expect(failuresText(tasks)).toBe(text);
  expect(shownStatus("success", tasks)).toBe(text === null ? "success" : "partial");
  expect(shownStatus("error", tasks)).toBe("error");
});

test.each([
  ["OSError", "away", "OSError: away"],
  ["OSError", "", "OSError"],
  ["timeout", "attempt 2 of call timed out after 1 s", "attempt 2 of call timed out after 1 s"],
  ["timeout", "", "timeout"],
])("an error of type %s that says %j reads %s", (type, message, text) => {
  expect(errorText({ type, message })).toBe(text);
});

test("of a record the run's own error is named, and all types are found", () => {
  const record = {
    id: "a",
    workflow: "retry",
    params: {},
    state: "failed" as const,
    submitted_at: "2026-01-01T00:00:00Z",
    delivery: 1,
    handed_back: 0,
    error: { type: "OSError", message: "away" },
    result: { tasks: [{ attempts: 1, error: { type: "ValueError", message: "" } }] },
  };
  expect(errorsOfRecord(record)).toEqual({ error: record.error, types: ["ValueError", "OSError"] });
});
