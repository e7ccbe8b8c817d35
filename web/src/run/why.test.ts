import { expect, it, test } from "vitest";
import type { Span } from "../api/types";
import { span } from "../waterfall/fixtures";
import type { RunFacts } from "./facts";
import { waitingOf, whyOf } from "./why";

const AWAY = { type: "ApiUnavailableError", message: "API temporarily unavailable" };
const NONE = { running: 0, succeeded: 0, failed: 0, timed_out: 0, cancelled: 0 };
const FACTS = { status: "exhausted", ended: true, tasks: { ...NONE, failed: 1 }, error: AWAY } as RunFacts;

function retry(known: Partial<Span>): readonly Span[] {
  const failed = { parent: "r", kind: "attempt" as const, outcome: "error", error: AWAY };
  return [
    span({ id: "r", kind: "retry", operation: "call", outcome: "exhausted", max_attempts: 5, ...known }),
    span({ id: "a2", ...failed, start: 1 }),
    span({ id: "a1", ...failed, start: 0, error: { type: "OSError", message: "busy" } }),
  ];
}

const LAST = "last error: ApiUnavailableError: API temporarily unavailable";

test.each<[Partial<Span>, string]>([
  [
    { giveup: "max_attempts", attempts: 5 },
    `call gave up after 5 of 5 attempts: no attempt was left; ${LAST}`,
  ],
  [
    { giveup: "deadline", attempts: 2, deadline: 0.99987 },
    `call gave up after 2 of 5 attempts: the deadline of 1 s was near; ${LAST}`,
  ],
  [
    { giveup: "deadline", attempts: 2, deadline: 1.5, outcome: "timeout" },
    `call gave up after 2 of 5 attempts: the deadline of 1.5 s was reached; ${LAST}`,
  ],
  [
    { giveup: "budget", attempts: 1 },
    `call gave up after 1 of 5 attempts: the retry budget was empty; ${LAST}`,
  ],
  [
    { giveup: "non_retryable", attempts: 1, max_attempts: 1 },
    `call gave up after 1 of 1 attempt: an error of this kind is not retried; ${LAST}`,
  ],
  [{ giveup: "moon_phase", attempts: 1 }, `call gave up after 1 of 5 attempts: moon phase; ${LAST}`],
])("%j reads %s", (known, text) => {
  expect(whyOf(FACTS, retry(known))).toBe(text);
});

it("takes the last error from the retry where attempts are no spans", () => {
  const [only] = retry({ giveup: "max_attempts", attempts: 5, error: AWAY });
  expect(whyOf(FACTS, [only!])).toContain(LAST);
});

it("names the last of several that gave up, and how many did", () => {
  const first = retry({ giveup: "max_attempts", attempts: 5, end: 9 });
  const earlier = span({ id: "x", kind: "retry", operation: "other", giveup: "budget", attempts: 1, end: 3 });
  expect(whyOf(FACTS, [...first, earlier])).toMatch(
    /^2 retries gave up, the last: call gave up after 5 of 5/,
  );
});

it("explains what failed without a retry, and nothing else", () => {
  const error = { type: "ValueError", message: "Task 4 failed!" };
  const partial = { ...FACTS, status: "success", tasks: { ...NONE, succeeded: 21, failed: 9 }, error };
  expect(whyOf(partial, [])).toBe("9 of 30 tasks failed; last error: ValueError: Task 4 failed!");
  expect(whyOf({ ...FACTS, status: "error", error }, [])).toBe("failed: ValueError: Task 4 failed!");
  const late = { type: "timeout", message: "workflow retry ran past its deadline of 2 s" };
  expect(whyOf({ ...FACTS, status: "timeout", error: late }, [])).toBe(late.message);
  expect(whyOf({ ...FACTS, status: "success", tasks: NONE }, [])).toBeNull();
  expect(whyOf({ ...FACTS, status: "running", ended: false }, [])).toBeNull();
});

it("tells when a retry that waits goes on, with which attempt, and what went wrong before", () => {
  const wait = { kind: "backoff" as const, parent: "r", end: null };
  const spans = [
    ...retry({ end: null, outcome: null }),
    span({ ...wait, id: "b", start: 2, delay: 0.8 }),
    span({ ...wait, id: "lost", parent: "elsewhere", start: 0, delay: 0.1 }),
  ];
  expect(waitingOf(spans)).toEqual([
    { operation: "call", until: 2.8, next: 3, most: 5, remaining: 2, error: AWAY },
  ]);
  expect(waitingOf(retry({}))).toEqual([]);
  const [last] = waitingOf([...retry({ max_attempts: 3 }), span({ ...wait, id: "b", delay: 1 })]);
  expect(last?.remaining).toBe(0);
  const [unknown] = waitingOf([...retry({ max_attempts: null }), span({ ...wait, id: "b", delay: 1 })]);
  expect([unknown?.most, unknown?.remaining]).toEqual([null, null]);
});
