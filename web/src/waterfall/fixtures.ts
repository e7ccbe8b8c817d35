import type { Span } from "../api/types";

/** A span for a test: what the test does not name is of no matter to it. */
export function span(known: Partial<Span> & { id: string }): Span {
  return {
    parent: null,
    name: known.id,
    kind: "task",
    operation: null,
    task: null,
    start: 0,
    end: 1,
    outcome: "success",
    attempt: null,
    delay: null,
    max_attempts: null,
    attempts: null,
    giveup: null,
    limit: null,
    deadline: null,
    error: null,
    cancel_cause: null,
    attributes: {},
    events: [],
    links: [],
    ...known,
  };
}

const ERROR = { outcome: "error", error: { type: "ApiUnavailableError", message: "API unavailable" } };

/** A retry: failed for 0.2 s, waited for 0.5 s, succeeded in 0.2 s. */
export const RETRY: readonly Span[] = [
  span({ id: "w", name: "workflow retry", kind: "workflow", start: 100, end: 100.9 }),
  span({
    id: "r",
    parent: "w",
    name: "retry call",
    kind: "retry",
    operation: "call",
    start: 100,
    end: 100.9,
  }),
  span({
    id: "a2",
    parent: "r",
    name: "attempt call",
    kind: "attempt",
    attempt: 2,
    start: 100.7,
    end: 100.9,
  }),
  span({
    id: "a1",
    parent: "r",
    name: "attempt call",
    kind: "attempt",
    attempt: 1,
    start: 100,
    end: 100.2,
    ...ERROR,
  }),
  span({
    id: "b1",
    parent: "r",
    name: "backoff call",
    kind: "backoff",
    delay: 0.5,
    start: 100.2,
    end: 100.7,
  }),
];
