import type { Span } from "../api/types";

/** A time that means something to a span, in seconds since the epoch. */
export interface Bound {
  readonly kind: "limit" | "deadline" | "planned";
  readonly at: number;
}

/** When a span has to end: by its own limit, and by the deadline of what is around it. */
export function boundsOf({ start, limit, deadline }: Span): readonly Bound[] {
  const bounds: Bound[] = [];
  if (limit !== null) bounds.push({ kind: "limit", at: start + limit });
  if (deadline !== null) bounds.push({ kind: "deadline", at: start + deadline });
  return bounds;
}

/** A timer starts a little before the span that tells its limit, in seconds. */
const BEFORE_SPAN = 0.001;

/** Those that fall on a span's own bar: a lane holds many spans, and a tick beyond its bar would be on another's. */
export function boundsOnBar(span: Span): readonly Bound[] {
  return boundsOf(span).filter(({ at }) => at - BEFORE_SPAN <= (span.end ?? Infinity));
}

/** When a wait that goes on is to end. */
export function plannedOf({ kind, start, end, delay }: Span): readonly Bound[] {
  return kind === "backoff" && end === null && delay !== null ? [{ kind: "planned", at: start + delay }] : [];
}
