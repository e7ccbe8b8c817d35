import {
  useCallback,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
  type FocusEvent,
  type KeyboardEvent,
  type Ref,
} from "react";
import type { Span } from "../api/types";
import { CancelLines } from "./CancelLines";
import { Help } from "./Help";
import { commandOf, isCharacter, PAGE_COMMANDS, TypeAhead, typeAheadTarget, type Command } from "./keys";
import { Minimap } from "./Minimap";
import type { Row } from "./rows";
import { SpanGrid, type SpanGridHandle } from "./SpanGrid";
import { zoomTo } from "./time";
import { elapsedOf, type Extent, Timeline, totalOf } from "./timeline";
import { Toolbar } from "./Toolbar";
import { useSpanTree } from "./useSpanTree";
import { Zoom } from "./zoom";
import "./waterfall.css";
import "./lanes.css";

const ROW_HEIGHT = 28;
/** Below this width a row's name stands above its bars. */
const NARROW = 640;
const NARROW_ROW_HEIGHT = 46;

export interface WaterfallHandle {
  /** Opens what leads to a span, and gives its row the focus. Selects nothing. */
  focusSpan: (id: string) => void;
}

interface WaterfallProps {
  spans: readonly Span[];
  /** When somebody asked for the run to be cancelled, as far as that is known before its spans say it. */
  cancelRequestedAt: number | null;
  selectedId: string | null;
  /** A span to scroll to once it is there. */
  initialId: string | null;
  onSelect: (id: string) => void;
  /** Enter on a row: the reader wants to read the details. */
  onDetails: (id: string) => void;
  handle: Ref<WaterfallHandle>;
}

export function Waterfall(props: WaterfallProps) {
  const { spans, cancelRequestedAt, selectedId, initialId, onSelect, onDetails, handle } = props;
  const tree = useSpanTree(spans, cancelRequestedAt);
  const { rows, extent, nodes } = tree;
  const [zoom] = useState(() => new Zoom());
  const [typed] = useState(() => new TypeAhead());
  const [wantedActive, setActive] = useState<string | null>(null);
  const [helping, setHelping] = useState(false);
  const root = useRef<HTMLElement>(null);
  const axis = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const grid = useRef<SpanGridHandle>(null);
  const narrow = useNarrow(root);
  useTimeline(root, axis, zoom, extent);

  const activeIndex = indexOfActive(rows, wantedActive, nodes);
  const activeId = rows[activeIndex]?.node.span.id ?? null;

  const focusRow = (id: string) => {
    setActive(id);
    grid.current?.focus(id);
  };
  const go = (id: string | null | undefined) => {
    if (!id) return;
    focusRow(id);
    // Open details are those of the row that has the focus.
    if (selectedId !== null) onSelect(id);
  };
  const goToHidden = (id: string | null) => {
    if (id !== null) tree.reveal(id);
    go(id);
  };
  useImperativeHandle(handle, () => ({
    focusSpan: (id) => {
      tree.reveal(id);
      focusRow(id);
    },
  }));
  const unseen = useRef(initialId);
  useEffect(() => {
    const id = unseen.current;
    if (id === null || !nodes.has(id)) return;
    unseen.current = null;
    setActive(id);
    grid.current?.show(id);
  }, [nodes]);

  const run = (command: Command) => {
    const row = rows[activeIndex];
    const goTo = (index: number) => go(rows[Math.min(Math.max(index, 0), rows.length - 1)]?.node.span.id);
    const page = grid.current?.pageSize() ?? 1;
    switch (command) {
      case "down":
        return goTo(activeIndex + 1);
      case "up":
        return goTo(activeIndex - 1);
      case "pageDown":
        return goTo(activeIndex + page);
      case "pageUp":
        return goTo(activeIndex - page);
      case "first":
        return goTo(0);
      case "last":
        return goTo(rows.length - 1);
      case "open":
        if (row?.expanded === false) tree.toggle(row.node.span.id);
        else if (row?.expanded) goTo(activeIndex + 1);
        return;
      case "close":
        if (row?.expanded) tree.toggle(row.node.span.id);
        else go(row?.parentId);
        return;
      case "details":
        if (row) onDetails(row.node.span.id);
        return;
      case "search":
        return search.current?.focus();
      case "nextError":
        return goToHidden(tree.errorAfter(activeId, 1));
      case "previousError":
        return goToHidden(tree.errorAfter(activeId, -1));
      case "zoom":
        if (row) zoom.set(windowOf(row.node.span, extent));
        return;
      case "resetZoom":
        return zoom.set(null);
      case "help":
        return setHelping(true);
    }
  };

  const onFocus = ({ target }: FocusEvent<HTMLElement>) => {
    if (target.role === "row") setActive(target.dataset.spanId ?? null);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if ((event.target as HTMLElement).role !== "row") return;
    const now = performance.now();
    const command = typed.isOngoing(now) && isCharacter(event) ? null : commandOf(event);
    if (command) run(command);
    else if (isCharacter(event)) {
      const index = typeAheadTarget(rows, activeIndex, typed.type(event.key, now));
      if (index !== null) go(rows[index]?.node.span.id);
    } else return;
    event.preventDefault();
  };
  usePageKeys(run);

  const onPress = useCallback(
    (row: Row) => {
      setActive(row.node.span.id);
      grid.current?.focus(row.node.span.id);
      onSelect(row.node.span.id);
    },
    [onSelect],
  );
  const latest = useRef(tree.toggle);
  useEffect(() => {
    latest.current = tree.toggle;
  });
  const onToggle = useCallback((id: string) => latest.current(id), []);

  return (
    <section
      ref={root}
      className="waterfall"
      data-narrow={narrow}
      aria-label="Waterfall"
      onFocus={onFocus}
      onKeyDown={onKeyDown}
    >
      <Toolbar
        filter={tree.filter}
        onFilter={tree.setFilter}
        onCollapse={tree.collapseAll}
        onExpand={tree.expandAll}
        onHelp={() => setHelping(true)}
        onFound={() => go(tree.firstMatch())}
        zoom={zoom}
        search={search}
        count={rows.length}
        counts={tree.counts}
      />
      <Minimap roots={tree.roots} extent={extent} zoom={zoom} />
      <div className="waterfall-stage">
        <div className="waterfall-head" aria-hidden="true">
          <span>Span</span>
          <span>Duration</span>
        </div>
        <div className="waterfall-axis" ref={axis} aria-hidden="true" />
        <SpanGrid
          handle={grid}
          rows={rows}
          rowHeight={narrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT}
          origin={extent.start}
          activeId={activeId}
          selectedId={selectedId}
          total={tree.total}
          onPress={onPress}
          onToggle={onToggle}
        />
        <CancelLines requests={tree.requests} origin={extent.start} />
        {rows.length === 0 && <p className="waterfall-empty">No span matches.</p>}
      </div>
      <Help isOpen={helping} onOpenChange={setHelping} />
    </section>
  );
}

/** The row that can have the focus: if it is hidden, the closest ancestor that is not, else the first. */
function indexOfActive(
  rows: readonly Row[],
  wanted: string | null,
  nodes: ReadonlyMap<string, { span: Span }>,
): number {
  for (let id = wanted; id !== null; id = nodes.get(id)?.span.parent ?? null) {
    const index = rows.findIndex((row) => row.node.span.id === id);
    if (index >= 0) return index;
  }
  return 0;
}

function windowOf(span: Span, extent: Extent) {
  const end = span.end === null ? elapsedOf(extent) : span.end - extent.start;
  return zoomTo(span.start - extent.start, end, totalOf(extent));
}

function useTimeline(
  root: { current: HTMLElement | null },
  axis: { current: HTMLElement | null },
  zoom: Zoom,
  extent: Extent,
) {
  const timeline = useRef<Timeline>(null);
  useEffect(() => {
    if (!root.current || !axis.current) return;
    const made = new Timeline(root.current, axis.current, zoom);
    timeline.current = made;
    return () => made.stop();
  }, [root, axis, zoom]);
  useEffect(() => timeline.current?.show(extent), [extent]);
}

function useNarrow(root: { current: HTMLElement | null }): boolean {
  const [narrow, setNarrow] = useState(false);
  useEffect(() => {
    const element = root.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setNarrow(element.clientWidth < NARROW));
    observer.observe(element);
    return () => observer.disconnect();
  }, [root]);
  return narrow;
}

/** Some keys also work while nothing, or a part of the page that takes no text, has the focus. */
function usePageKeys(run: (command: Command) => void) {
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.defaultPrevented || target.closest("input, textarea, select, [role=dialog], [role=slider]"))
        return;
      const command = commandOf(event);
      if (!command || !PAGE_COMMANDS.has(command)) return;
      event.preventDefault();
      latest.current(command);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
