import { describe, expect, it } from "vitest";
import { RETRY, span } from "./fixtures";
import { attemptsOf, buildTree, cancelRequests } from "./lanes";

const requested = (time: number, cause: string) => ({
  time,
  name: "resilience.cancel.requested",
  attributes: { "resilience.cancel.cause": cause },
});

describe("buildTree", () => {
  it("puts children below their parents, in the order of their starts", () => {
    const [workflow] = buildTree(RETRY);
    const [retry] = workflow?.children ?? [];
    expect(workflow?.span.id).toBe("w");
    expect(retry?.children.map((child) => child.span.id)).toEqual(["a1", "b1", "a2"]);
  });

  it("makes one lane of attempts and the backoff between them", () => {
    const retry = buildTree(RETRY)[0]?.children[0];
    expect(retry?.segments.map((segment) => segment.kind)).toEqual(["attempt", "backoff", "attempt"]);
    expect(retry && attemptsOf(retry)).toBe(2);
  });

  it("shows a cleanup in the lane of the task that was cancelled, and no nested task", () => {
    const [task] = buildTree([
      span({ id: "t", outcome: "cancelled" }),
      span({ id: "c", parent: "t", kind: "cleanup", start: 0.9 }),
      span({ id: "n", parent: "t", kind: "task" }),
    ]);
    expect(task?.segments.map((segment) => segment.id)).toEqual(["c"]);
  });

  it("makes a root of a span whose parent is elsewhere", () => {
    const roots = buildTree([span({ id: "b", parent: "far away", start: 2 }), span({ id: "a", start: 1 })]);
    expect(roots.map((root) => root.span.id)).toEqual(["a", "b"]);
  });
});

describe("cancelRequests", () => {
  it("counts a request that reached many spans once", () => {
    const spans = [
      span({ id: "w", events: [requested(5, "request")] }),
      span({ id: "t", events: [requested(5.001, "request"), requested(5.008, "request")] }),
    ];
    expect(cancelRequests(spans)).toEqual([{ time: 5, cause: "request" }]);
  });

  it("tells requests apart by their time and by their cause", () => {
    const spans = [
      span({ id: "b", events: [requested(7, "shutdown")] }),
      span({ id: "a", events: [requested(5, "request"), requested(5, "deadline")] }),
      span({ id: "c", events: [requested(7, "request"), { time: 6, name: "exception", attributes: {} }] }),
    ];
    expect(cancelRequests(spans)).toEqual([
      { time: 5, cause: "request" },
      { time: 5, cause: "deadline" },
      { time: 7, cause: "shutdown" },
      { time: 7, cause: "request" },
    ]);
  });

  it("is there from the request on, which the service knows before any span says it", () => {
    const running = span({ id: "t", end: null });
    expect(cancelRequests([running], 5)).toEqual([{ time: 5, cause: "request" }]);
    const ended = span({ id: "t", events: [requested(5.3, "request")] });
    expect(cancelRequests([ended], 5)).toEqual([{ time: 5, cause: "request" }]);
    const others = span({ id: "o", events: [requested(4, "request"), requested(6, "deadline")] });
    expect(cancelRequests([ended, others], 5).map(({ time }) => time)).toEqual([4, 5, 6]);
  });

  it("is there from a cleanup's start on where nothing else tells of it yet", () => {
    const cleanup = span({ id: "c", parent: "t", kind: "cleanup", start: 5, end: null });
    const other = span({ ...cleanup, id: "d", start: 5.002 });
    const task = span({ id: "t", end: null });
    expect(cancelRequests([task, cleanup, other])).toEqual([{ time: 5, cause: null }]);
    expect(cancelRequests([task, cleanup, other], 4.9)).toEqual([{ time: 4.9, cause: "request" }]);
    const ended = { ...task, end: 6, events: [requested(5, "sibling")] };
    expect(cancelRequests([ended, { ...cleanup, end: 6 }])).toEqual([{ time: 5, cause: "sibling" }]);
  });
});
