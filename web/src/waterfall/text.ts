import { statusOf } from "./status";
import type { Span } from "../api/types";
import { formatDuration } from "../format";

/** What tells a span from its siblings: `#2` of an attempt, `(Task 4)` of a task, what a backoff had planned. */
export function detailOf(span: Span): string {
  if (span.attempt !== null) return `#${span.attempt}`;
  if (span.kind === "backoff" && span.delay !== null)
    return `(${Number(span.delay.toPrecision(4))} s planned)`;
  return span.task !== null && !span.name.endsWith(span.task) ? `(${span.task})` : "";
}

/** A span's name with its detail: `attempt flaky_api_call #2`, `task risky_task (Task 4)`. */
export function labelOf(span: Span): string {
  const detail = detailOf(span);
  return detail === "" ? span.name : `${span.name} ${detail}`;
}

/** Why a span did not succeed, unless its status says the same. */
export function whyOf(span: Span): string {
  const why = span.error?.type ?? span.cancel_cause ?? "";
  return why === statusOf(span) ? "" : why;
}

/**
 * The accessible name of a span's row. Browser tests find rows by it, so its form is fixed:
 *
 *     LABEL, KIND, STATUS, DURATION[, WHY]
 *     attempt flaky_api_call #2, attempt, error, 201 ms, ApiUnavailableError
 *     backoff flaky_api_call (0.5 s planned), backoff, success, 501 ms
 *     task long_running_task (Task-A), task, cancelled, 2.60 s, request
 *     workflow retry, workflow, running, in progress
 *
 * LABEL is `labelOf`, STATUS is `statusOf`, WHY (`whyOf`) the error's type or the cause of the cancel.
 */
export function rowText(span: Span): string {
  const parts = [labelOf(span), span.kind, statusOf(span), durationText(span)];
  const why = whyOf(span);
  return [...parts, ...(why === "" ? [] : [why])].join(", ");
}

export function durationText(span: Span): string {
  return span.end === null ? "in progress" : formatDuration(span.end - span.start);
}
