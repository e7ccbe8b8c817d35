import { labelOf } from "./text";
import { isFailed } from "./status";
import type { SpanNode } from "./lanes";

export type Only = "all" | "errors" | "retries";

export interface Filter {
  only: Only;
  query: string;
}

export function isFiltering(filter: Filter): boolean {
  return filter.only !== "all" || filter.query.trim() !== "";
}

/** The spans that match, and their ancestors. A lane that stays keeps all its segments. */
export function prune(roots: readonly SpanNode[], filter: Filter): SpanNode[] {
  if (!isFiltering(filter)) return [...roots];
  const kept = new Map<SpanNode, SpanNode>();
  const keep = (parent: SpanNode | null, nodes: readonly SpanNode[]) =>
    nodes.flatMap((node) => {
      const copy = kept.get(node);
      if (copy) return [copy];
      return matches(node, parent, filter) ? [{ ...node, children: [] }] : [];
    });
  for (const { node } of deepestFirst(roots)) {
    const children = keep(node, node.children);
    if (children.length > 0) kept.set(node, { ...node, children });
  }
  return keep(null, roots);
}

/** Whether a span is asked for itself, and not only leads to one. */
export function matches(node: SpanNode, parent: SpanNode | null, filter: Filter): boolean {
  return isWanted(node, parent, filter.only) && contains(node, filter.query.trim().toLowerCase());
}

function isWanted(node: SpanNode, parent: SpanNode | null, only: Only): boolean {
  if (only === "errors") return isFailed(node.span);
  if (only === "retries") {
    const lane = node.span.kind === "attempt" || node.span.kind === "backoff" ? parent : node;
    return lane !== null && lane.segments.some((span) => span.kind === "backoff");
  }
  return true;
}

function contains({ span }: SpanNode, query: string): boolean {
  if (query === "") return true;
  const texts = [
    labelOf(span),
    span.outcome,
    span.error?.type,
    span.error?.message,
    span.cancel_cause,
    span.id,
  ];
  return texts.some((text) => text?.toLowerCase().includes(query));
}

function deepestFirst(roots: readonly SpanNode[]): { node: SpanNode }[] {
  const order = roots.map((node) => ({ node }));
  for (let index = 0; index < order.length; index++) {
    for (const node of order[index]?.node.children ?? []) order.push({ node });
  }
  return order.reverse();
}
