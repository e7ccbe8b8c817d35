/** What an address below `/runs/` names. */
export type RunAddress =
  | { kind: "background"; id: string }
  | { kind: "inline"; id: string; traceId: string; spanId: string }
  | { kind: "trace"; id: string; traceId: string };

const INLINE = /^([0-9a-f]{32})-([0-9a-f]{16})$/;
const TRACE = /^[0-9a-f]{32}$/;

/** A background run has an id of its own; an inline run is a span of a trace. */
export function addressOf(id: string): RunAddress {
  const [, traceId, spanId] = INLINE.exec(id) ?? [];
  if (traceId && spanId) return { kind: "inline", id, traceId, spanId };
  return TRACE.test(id) ? { kind: "trace", id, traceId: id } : { kind: "background", id };
}
