import { NAMES } from "../api/schema";
import type { Span } from "../api/types";
import { statusLook, type Tone } from "../theme/status";

const FAILURES = new Set<string>([
  ...NAMES.FailedOutcome,
  ...NAMES.CleanupOutcome.filter((each) => each !== "completed"),
]);
const FRAMES = new Set<Span["kind"]>(["server", "workflow", "gather", "retry"]);

/** The one word for how a span stands: its outcome, `running`, or `ended` for one that knows no outcome. */
export function statusOf(span: Span): string {
  if (span.end === null) return "running";
  return span.outcome ?? (span.error ? "error" : "ended");
}

export function isFailed(span: Span): boolean {
  return FAILURES.has(statusOf(span));
}

/** Which colour a bar has. A cleanup is one whatever became of it: its mark says whether it failed. */
export function toneOf(span: Span): Tone {
  if (span.kind === "cleanup") return "cleanup";
  const status = statusOf(span);
  if (FAILURES.has(status) || status === "cancelled") return statusLook(status).tone;
  if (span.kind === "backoff") return "backoff";
  return status === "ended" ? "neutral" : "success";
}

/** The symbol that says the same as the colour. */
export function symbolOf(span: Span): string {
  const status = statusOf(span);
  return status === "ended" ? "✓" : statusLook(status).symbol;
}

/** What stands on a bar that did not do what it should: a cross, a clock or a barred circle. */
export function markOf(span: Span): string {
  return isFailed(span) || statusOf(span) === "cancelled" ? symbolOf(span) : "";
}

/** Spans that only hold others together: drawn thin, so that the eye finds what really ran. */
export function isFrame(span: Span): boolean {
  return FRAMES.has(span.kind);
}
