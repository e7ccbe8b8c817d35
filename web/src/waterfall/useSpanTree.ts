import { useDeferredValue, useMemo, useState } from "react";
import type { Span } from "../api/types";
import { isFiltering, matches, prune, type Filter, type Only } from "./filter";
import { buildTree, cancelRequests, type CancelRequest, type SpanNode } from "./lanes";
import { COLLAPSED, EXPANDED, flatten, revealed, toggled, type Expansion, type Row } from "./rows";
import { boundsOf, plannedOf } from "./bounds";
import { isFailed, isFrame } from "./status";
import { NOTHING, type Extent } from "./timeline";

export interface SpanTree {
  roots: readonly SpanNode[];
  nodes: ReadonlyMap<string, SpanNode>;
  rows: readonly Row[];
  extent: Extent;
  requests: readonly CancelRequest[];
  /** How many spans there are, and how many of them each choice of the filter is about. */
  total: number;
  counts: Readonly<Record<Only, number>>;
  filter: Filter;
  setFilter: (filter: Filter) => void;
  toggle: (id: string) => void;
  /** Opens what leads to a span; takes the filter off where it hides the span. */
  reveal: (id: string) => void;
  expandAll: () => void;
  collapseAll: () => void;
  /** The first row that the filter asks for. */
  firstMatch: () => string | null;
  /** The failed span after (or before) another one, in the order of the rows. */
  errorAfter: (id: string | null, step: 1 | -1) => string | null;
}

const EVERYTHING: Filter = { only: "all", query: "" };

/** The spans of a trace as rows, with what a reader opened, closed and filtered. Survives every live update. */
export function useSpanTree(spans: readonly Span[], cancelRequestedAt: number | null): SpanTree {
  const [filter, setFilter] = useState(EVERYTHING);
  const [expansion, setExpansion] = useState<Expansion>(EXPANDED);
  // What a filter finds is shown open; closing rows of it leaves the unfiltered tree as it was.
  const [foundExpansion, setFoundExpansion] = useState<Expansion>(EXPANDED);
  const applied = useDeferredValue(filter);
  const filtering = isFiltering(applied);
  const setCurrent = filtering ? setFoundExpansion : setExpansion;

  const roots = useMemo(() => buildTree(spans), [spans]);
  const nodes = useMemo(() => {
    return new Map(flatten(roots, EXPANDED).map(({ node }) => [node.span.id, node] as const));
  }, [roots]);
  const extent = useMemo(() => extentOf(spans), [spans]);
  const requests = useMemo(() => cancelRequests(spans, cancelRequestedAt), [spans, cancelRequestedAt]);
  const found = useMemo(() => prune(roots, applied), [roots, applied]);
  const rows = useMemo(
    () => flatten(found, filtering ? foundExpansion : expansion),
    [found, filtering, foundExpansion, expansion],
  );

  const counts = useMemo(() => countsOf(nodes), [nodes]);

  return {
    roots,
    total: nodes.size,
    counts,
    nodes,
    rows,
    extent,
    requests,
    filter,
    setFilter: (wanted) => {
      setFilter(wanted);
      setFoundExpansion(EXPANDED);
    },
    toggle: (id) => setCurrent((before) => toggled(before, id)),
    reveal: (id) => {
      const all = flatten(found, EXPANDED);
      const isFound = all.some((row) => row.node.span.id === id);
      if (filtering && !isFound) setFilter(EVERYTHING);
      const set = filtering && isFound ? setFoundExpansion : setExpansion;
      set((before) => revealed(before, nodes, id));
    },
    expandAll: () => setCurrent(EXPANDED),
    collapseAll: () => setCurrent(COLLAPSED),
    firstMatch: () => {
      const row = rows.find((each) => matches(each.node, nodes.get(each.parentId ?? "") ?? null, applied));
      return row?.node.span.id ?? null;
    },
    errorAfter: (id, step) => {
      const order = flatten(found, EXPANDED);
      const from = order.findIndex((row) => row.node.span.id === id);
      for (let count = 1; count <= order.length; count++) {
        const start = from < 0 && step < 0 ? 0 : from;
        const node = order[(start + step * count + 2 * order.length) % order.length]?.node;
        if (node && isCulprit(node)) return node.span.id;
      }
      return null;
    },
  };
}

/** Of retries the operations count, not all the spans that the filter shows of them. */
function countsOf(nodes: ReadonlyMap<string, SpanNode>): Record<Only, number> {
  const all = [...nodes.values()];
  return {
    all: all.length,
    errors: all.filter(({ span }) => isFailed(span)).length,
    retries: all.filter(({ segments }) => segments.some(({ kind }) => kind === "backoff")).length,
  };
}

/** Failed, and not just because something inside failed. */
function isCulprit({ span, children }: SpanNode): boolean {
  return isFailed(span) && !(isFrame(span) && children.some((child) => isFailed(child.span)));
}

function extentOf(spans: readonly Span[]): Extent {
  let start = Infinity;
  let latest = -Infinity;
  let running = false;
  const ahead = new Set<number>();
  for (const span of spans) {
    start = Math.min(start, span.start);
    latest = Math.max(latest, span.end ?? span.start);
    running ||= span.end === null;
    if (span.end === null) for (const { at } of [...boundsOf(span), ...plannedOf(span)]) ahead.add(at);
  }
  if (spans.length === 0) return NOTHING;
  return { start, end: running ? null : latest, latest, ahead: [...ahead] };
}
