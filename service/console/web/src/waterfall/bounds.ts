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

/** When a wait that goes on is to end. */
export function plannedOf({ kind, start, end, delay }: Span): readonly Bound[] {
  return kind === "backoff" && end === null && delay !== null ? [{ kind: "planned", at: start + delay }] : [];
}
