import type { SpanNode } from "./lanes";

export interface Row {
  node: SpanNode;
  /** From 1, as `aria-level`. */
  level: number;
  position: number;
  setSize: number;
  /** `null` for a row without children. */
  expanded: boolean | null;
  parentId: string | null;
}

/** What is open: all rows are `open` or none, but for the exceptions. New spans follow the rule. */
export interface Expansion {
  open: boolean;
  exceptions: ReadonlySet<string>;
}

export const EXPANDED: Expansion = { open: true, exceptions: new Set() };

/** Closed are the lanes; what holds lanes together stays open, or one row would be left. */
export const COLLAPSED: Expansion = { open: false, exceptions: new Set() };

const ALWAYS_A_LEVEL = new Set(["server", "workflow", "gather"]);

export function isExpanded(expansion: Expansion, node: SpanNode): boolean {
  const byRule = expansion.open || ALWAYS_A_LEVEL.has(node.span.kind);
  return byRule !== expansion.exceptions.has(node.span.id);
}

export function toggled(expansion: Expansion, id: string): Expansion {
  const exceptions = new Set(expansion.exceptions);
  if (!exceptions.delete(id)) exceptions.add(id);
  return { ...expansion, exceptions };
}

/** Opens the ancestors of a span, so that it has a row. */
export function revealed(expansion: Expansion, nodes: ReadonlyMap<string, SpanNode>, id: string): Expansion {
  let result = expansion;
  for (let at = nodes.get(id)?.span.parent ?? null; at !== null; at = nodes.get(at)?.span.parent ?? null) {
    const node = nodes.get(at);
    if (node && !isExpanded(result, node)) result = toggled(result, at);
  }
  return result;
}

/** The rows to show, from top to bottom. Without recursion: a trace may be thousands of spans deep. */
export function flatten(roots: readonly SpanNode[], expansion: Expansion): Row[] {
  const rows: Row[] = [];
  const pending: Row[] = [];
  const push = (nodes: readonly SpanNode[], level: number, parentId: string | null) => {
    for (let index = nodes.length - 1; index >= 0; index--) {
      const node = nodes[index] as SpanNode;
      const expanded = node.children.length === 0 ? null : isExpanded(expansion, node);
      pending.push({ node, level, position: index + 1, setSize: nodes.length, expanded, parentId });
    }
  };
  push(roots, 1, null);
  for (let row = pending.pop(); row; row = pending.pop()) {
    rows.push(row);
    if (row.expanded) push(row.node.children, row.level + 1, row.node.span.id);
  }
  return rows;
}
