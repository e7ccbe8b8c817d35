import type { CancelCause, Span } from "../api/types";

export interface SpanNode {
  span: Span;
  /** In the order of their starts. */
  children: SpanNode[];
  /** What the row's own lane shows besides the span itself: attempts, the backoff between them, cleanup. */
  segments: Span[];
}

export interface CancelRequest {
  time: number;
  /** null while only a cleanup tells of it, which does not know. */
  cause: string | null;
}

const SEGMENTS = new Set<Span["kind"]>(["attempt", "backoff", "cleanup"]);
const BY_REQUEST: CancelCause = "request";
const CANCEL_REQUESTED = "resilience.cancel.requested";
/** One cancel reaches the spans of a run within this time of each other, in seconds. */
const SAME_CANCEL = 0.01;

/** Spans as a tree; one whose parent is not here (it is elsewhere, or was left out) is a root. */
export function buildTree(spans: readonly Span[]): SpanNode[] {
  const nodes = new Map<string, SpanNode>();
  for (const span of spans) nodes.set(span.id, { span, children: [], segments: [] });
  const roots: SpanNode[] = [];
  for (const node of nodes.values()) {
    const parent = node.span.parent === null ? undefined : nodes.get(node.span.parent);
    (parent?.children ?? roots).push(node);
  }
  for (const node of nodes.values()) {
    if (node.children.length === 0) continue;
    node.children.sort(byStart);
    node.segments = node.children.map((child) => child.span).filter((span) => SEGMENTS.has(span.kind));
  }
  return roots.sort(byStart);
}

/** How many attempts a lane has. */
export function attemptsOf(node: SpanNode): number {
  return node.segments.filter((span) => span.kind === "attempt").length;
}

/**
 * When somebody asked for an end, and why; a request that reached many spans counts once.
 *
 * A span says so only when it has ended, after its cleanup. Before that the service may know that it was `asked` to
 * cancel the run, and a cleanup that has begun says it too.
 */
export function cancelRequests(spans: readonly Span[], asked: number | null = null): CancelRequest[] {
  const requests: CancelRequest[] = asked === null ? [] : [{ time: asked, cause: BY_REQUEST }];
  for (const span of spans) {
    for (const event of span.events) {
      if (event.name !== CANCEL_REQUESTED) continue;
      const said = event.attributes["resilience.cancel.cause"];
      const cause = typeof said === "string" ? said : (span.cancel_cause ?? "unknown");
      // What is cancelled for the same reason after the service was asked to is cancelled because of it.
      if (asked === null || cause !== BY_REQUEST || event.time < asked)
        requests.push({ time: event.time, cause });
    }
  }
  requests.push(...cleanupsBegun(spans, asked));
  requests.sort((one, other) => one.time - other.time);
  const last = new Map<string | null, number>();
  return requests.filter(({ time, cause }) => {
    const before = last.get(cause);
    last.set(cause, time);
    return before === undefined || time - before > SAME_CANCEL;
  });
}

/** Cleanups that go on, for cancels that nobody has told the cause of yet. */
function cleanupsBegun(spans: readonly Span[], asked: number | null): CancelRequest[] {
  return spans
    .filter((span) => span.kind === "cleanup" && span.end === null && (asked === null || span.start < asked))
    .map((span) => ({ time: span.start, cause: null }));
}

function byStart(one: SpanNode, other: SpanNode): number {
  return one.span.start - other.span.start;
}
