import { expect, test } from "vitest";
import { boundsOf, boundsOnBar, plannedOf } from "./bounds";
import { span } from "./fixtures";
import { elapsedOf, totalOf } from "./timeline";

const now = Date.now() / 1000;
const RUNNING = { start: now - 10, end: null, latest: now, ahead: [] };

test("what is ahead is shown, but never takes more than half of the width", () => {
  expect(totalOf(RUNNING)).toBeCloseTo(10, 0);
  expect(totalOf({ ...RUNNING, ahead: [now + 2, now - 3] })).toBeCloseTo(12, 0);
  expect(totalOf({ ...RUNNING, ahead: [now + 3600] })).toBeCloseTo(20, 0);
  expect(elapsedOf({ ...RUNNING, ahead: [now + 3600] })).toBeCloseTo(10, 0);
  expect(totalOf({ start: 5, end: 8, latest: 8, ahead: [20] })).toBe(3);
});

test("a span has to end by its own limit and by the deadline around it", () => {
  expect(boundsOf(span({ id: "t", start: 5, limit: 2, deadline: 3 }))).toEqual([
    { kind: "limit", at: 7 },
    { kind: "deadline", at: 8 },
  ]);
  expect(boundsOf(span({ id: "t" }))).toEqual([]);
});

test("among others in a lane only the bounds on its own bar are shown: reached, or still ahead", () => {
  const attempt = span({ id: "a", kind: "attempt", start: 5, limit: 2, end: 6.9999 });
  expect(boundsOnBar(attempt)).toEqual([{ kind: "limit", at: 7 }]);
  expect(boundsOnBar({ ...attempt, end: null })).toEqual([{ kind: "limit", at: 7 }]);
  expect(boundsOnBar({ ...attempt, end: 6 })).toEqual([]);
});

test("only a wait that goes on has a planned end", () => {
  const wait = span({ id: "b", kind: "backoff", start: 5, end: null, delay: 0.5 });
  expect(plannedOf(wait)).toEqual([{ kind: "planned", at: 5.5 }]);
  expect(plannedOf({ ...wait, end: 5.4 })).toEqual([]);
  expect(plannedOf({ ...wait, kind: "attempt" })).toEqual([]);
});
