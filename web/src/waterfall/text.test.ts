import { describe, expect, it } from "vitest";
import { RETRY, span } from "./fixtures";
import { symbolOf, toneOf } from "./status";
import { labelOf, rowText } from "./text";

describe("rowText", () => {
  it("says name, kind, status, duration and error", () => {
    expect(rowText(RETRY[3]!)).toBe("attempt call #1, attempt, error, 200 ms, ApiUnavailableError");
    expect(rowText(RETRY[4]!)).toBe("backoff call (0.5 s planned), backoff, success, 500 ms");
  });

  it("says the cause of a cancel, and that a span still runs", () => {
    const task = {
      id: "t",
      name: "task work",
      task: "Task-A",
      outcome: "cancelled",
      cancel_cause: "request",
      end: 2.6,
    };
    expect(rowText(span(task))).toBe("task work (Task-A), task, cancelled, 2.60 s, request");
    expect(rowText(span({ id: "r", end: null, outcome: null }))).toBe("r, task, running, in progress");
  });

  it("does not say twice that a timeout was a timeout", () => {
    const known = { id: "t", outcome: "timeout", error: { type: "timeout", message: "too slow" } };
    expect(rowText(span(known))).toBe("t, task, timeout, 1.00 s");
  });

  it("does not repeat a task that the name has", () => {
    expect(labelOf(span({ id: "t", name: "timeout API Call", task: "API Call" }))).toBe("timeout API Call");
  });
});

describe("colour and symbol", () => {
  const looks = (known: object) => {
    const made = span({ id: "x", ...known });
    return [toneOf(made), symbolOf(made)];
  };

  it("say the same", () => {
    expect(looks({})).toEqual(["success", "✓"]);
    for (const outcome of ["error", "exhausted"]) expect(looks({ outcome })).toEqual(["error", "✕"]);
    expect(looks({ outcome: "timeout" })).toEqual(["timeout", "◷"]);
    expect(looks({ outcome: "cancelled" })).toEqual(["cancelled", "⊘"]);
    expect(looks({ kind: "backoff" })).toEqual(["backoff", "✓"]);
    expect(looks({ kind: "cleanup", outcome: "completed" })).toEqual(["cleanup", "✓"]);
    expect(looks({ kind: "cleanup", outcome: "timed_out" })).toEqual(["cleanup", "◷"]);
    expect(looks({ kind: "server", outcome: null })).toEqual(["neutral", "✓"]);
    expect(looks({ end: null, outcome: null })).toEqual(["success", "●"]);
  });

  it("let a backoff that was cut short look cancelled", () => {
    expect(looks({ kind: "backoff", outcome: "cancelled" })).toEqual(["cancelled", "⊘"]);
  });
});
