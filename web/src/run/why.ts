/** In one sentence: why a run did not (quite) succeed, and what it waits for. */

import type { GiveUpReason, RunError, Span } from "../api/types";
import { formatNumber, plural } from "../format";
import { errorText, failuresText } from "../runs/tasks";
import { plannedOf } from "../waterfall/bounds";
import type { RunFacts } from "./facts";

/** A retry that waits for its next attempt. */
export interface Waiting {
  readonly operation: string;
  /** When the next attempt begins, in seconds since the epoch. */
  readonly until: number;
  readonly next: number;
  readonly most: number | null;
  /** Attempts after the next one; null where nobody said how many there may be. */
  readonly remaining: number | null;
  readonly error: RunError | null;
}

/** Null where there is nothing to explain. */
export function whyOf(facts: RunFacts, inside: readonly Span[]): string | null {
  const gaveUp = inside
    .filter((span) => span.giveup !== null)
    .sort((one, other) => (one.end ?? 0) - (other.end ?? 0));
  const last = gaveUp.at(-1);
  const several = gaveUp.length > 1 ? `${plural(gaveUp.length, "retry", "retries")} gave up, the last: ` : "";
  const giveUp =
    last && `${several}${giveUpText(last, lastError(last, attemptsByRetry(inside).get(last.id) ?? []))}`;
  const failures = facts.ended ? failuresText(facts.tasks) : null;
  if (facts.status === "success" && failures !== null) {
    const error = facts.error && `last error: ${errorText(facts.error)}`;
    return [failures, giveUp ?? error].filter(Boolean).join("; ");
  }
  if (giveUp !== undefined) return giveUp;
  if (facts.error === null || !facts.ended || facts.status === "success" || facts.status === "cancelled")
    return null;
  const failed = facts.status === "timeout" && facts.error.message !== "" ? "" : "failed: ";
  return `${failed}${errorText(facts.error)}`;
}

function giveUpText(retry: Span, error: RunError | null): string {
  const { attempts, max_attempts: most } = retry;
  const made = `${operationOf(retry)} gave up after ${attempts ?? "some"} of ${plural(most ?? 0, "attempt")}`;
  return `${made}: ${reasonOf(retry)}${error === null ? "" : `; last error: ${errorText(error)}`}`;
}

function reasonOf({ giveup, deadline, outcome }: Span): string {
  const limit = deadline === null ? "" : ` of ${formatNumber(deadline)} s`;
  switch (giveup as GiveUpReason | null) {
    case "max_attempts":
      return "no attempt was left";
    case "deadline":
      return `the deadline${limit} was ${outcome === "timeout" ? "reached" : "near"}`;
    case "budget":
      return "the retry budget was empty";
    case "non_retryable":
      return "an error of this kind is not retried";
    default:
      return String(giveup).replaceAll("_", " ");
  }
}

/** The retries that wait, the one that waits shortest first. */
export function waitingOf(spans: readonly Span[]): readonly Waiting[] {
  const waits = spans.filter((span) => plannedOf(span).length > 0);
  if (waits.length === 0) return [];
  const byId = new Map(spans.map((span) => [span.id, span]));
  const attempts = attemptsByRetry(spans);
  return waits
    .flatMap((wait): Waiting[] => {
      const retry = byId.get(wait.parent ?? "");
      if (retry === undefined) return [];
      const made = attempts.get(retry.id) ?? [];
      return plannedOf(wait).map(({ at }) => ({
        operation: operationOf(retry),
        until: at,
        next: made.length + 1,
        most: retry.max_attempts,
        remaining: retry.max_attempts === null ? null : retry.max_attempts - made.length - 1,
        error: lastError(retry, made),
      }));
    })
    .sort((one, other) => one.until - other.until);
}

function attemptsByRetry(spans: readonly Span[]): ReadonlyMap<string, readonly Span[]> {
  const attempts = new Map<string, Span[]>();
  for (const span of spans) {
    if (span.kind !== "attempt" || span.parent === null) continue;
    const known = attempts.get(span.parent);
    if (known) known.push(span);
    else attempts.set(span.parent, [span]);
  }
  return attempts;
}

const operationOf = ({ operation, name }: Span): string => operation ?? name;

/** Of the last attempt; where attempts are no spans, the retry's own. */
function lastError(retry: Span, attempts: readonly Span[]): RunError | null {
  const last = attempts
    .filter((span) => span.error !== null)
    .reduce<Span | null>((latest, span) => (span.start > (latest?.start ?? -Infinity) ? span : latest), null);
  return last?.error ?? retry.error;
}
