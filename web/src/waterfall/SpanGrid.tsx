import {
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  type Ref,
} from "react";
import { formatCount, plural } from "../format";
import type { Row } from "./rows";
import { RowView } from "./RowView";
import { useViewport } from "./viewport";

/** A row that does not appear within this time does not get the focus any more: the reader has gone on. */
const FOCUS_PATIENCE_MS = 1000;

export interface SpanGridHandle {
  /** Scrolls to a row and gives it the focus, now or when it is there in a moment. */
  focus: (id: string) => void;
  /** Scrolls to a row. */
  show: (id: string) => void;
  /** Rows that fit into the box. */
  pageSize: () => number;
}

interface SpanGridProps {
  rows: readonly Row[];
  /** Spans of the trace, also those without a row. */
  total: number;
  rowHeight: number;
  origin: number;
  activeId: string | null;
  selectedId: string | null;
  onPress: (row: Row) => void;
  onToggle: (id: string) => void;
  handle: Ref<SpanGridHandle>;
}

/**
 * The rows of a waterfall as an ARIA treegrid whose focus is on rows. Only rows in sight are rendered, and the
 * one that can have the focus: so the focus is never lost.
 *
 * Not React Aria's Tree: that builds an element for each row of the collection at each change, 10,000 of them
 * ten times a second while a trace grows.
 */
export function SpanGrid(props: SpanGridProps) {
  const { rows, total, rowHeight, origin, activeId, selectedId, onPress, onToggle, handle } = props;
  const box = useRef<HTMLDivElement>(null);
  const viewport = useViewport(box, rows, rowHeight);
  const { scrollTo } = viewport;
  const indexes = useMemo(() => new Map(rows.map((row, index) => [row.node.span.id, index])), [rows]);
  const wanted = useRef<{ id: string; until: number } | null>(null);

  const focusWanted = useCallback(() => {
    if (wanted.current === null) return;
    const { id, until } = wanted.current;
    if (performance.now() > until) wanted.current = null;
    const index = indexes.get(id);
    if (wanted.current === null || index === undefined) return;
    scrollTo(index);
    const row = box.current?.querySelector<HTMLElement>(`[role="row"][data-span-id="${CSS.escape(id)}"]`);
    if (!row) return;
    wanted.current = null;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }, [indexes, scrollTo]);

  // A row that is far away is rendered first, and gets the focus then.
  useLayoutEffect(focusWanted);

  useImperativeHandle(
    handle,
    () => ({
      focus: (id) => {
        wanted.current = { id, until: performance.now() + FOCUS_PATIENCE_MS };
        focusWanted();
      },
      show: (id) => scrollTo(indexes.get(id) ?? 0),
      pageSize: () => Math.max(Math.floor((box.current?.clientHeight ?? 0) / rowHeight) - 1, 1),
    }),
    [focusWanted, indexes, rowHeight, scrollTo],
  );

  useScrollbarWidth(box);

  const shown = rows
    .slice(viewport.first, viewport.last)
    .map((row, at) => ({ row, index: viewport.first + at }));
  const activeIndex = activeId === null ? undefined : indexes.get(activeId);
  if (activeIndex !== undefined && (activeIndex < viewport.first || activeIndex >= viewport.last)) {
    const row = { row: rows[activeIndex] as Row, index: activeIndex };
    if (activeIndex < viewport.first) shown.unshift(row);
    else shown.push(row);
  }
  return (
    <>
      <div
        ref={box}
        role="treegrid"
        aria-label="Spans"
        aria-rowcount={rows.length}
        className="span-grid"
        onScroll={viewport.onScroll}
      >
        <div role="rowgroup" className="span-rows" style={{ height: rows.length * rowHeight }}>
          {shown.map(({ row, index }) => (
            <RowView
              key={row.node.span.id}
              row={row}
              index={index + 1}
              top={index * rowHeight}
              origin={origin}
              active={row.node.span.id === activeId}
              selected={row.node.span.id === selectedId}
              onPress={onPress}
              onToggle={onToggle}
            />
          ))}
        </div>
      </div>
      <p className="span-count" data-testid="span-count">
        {countText(rows.length, total, viewport)}
      </p>
    </>
  );
}

/** `Rows 1 to 20 of 1 003`, and of how many spans those are. */
function countText(rows: number, total: number, { from, to }: { from: number; to: number }): string {
  const all = rows === total ? "" : `; ${plural(total, "span")} in all`;
  if (to - from >= rows) return `${plural(rows, "row")}${all}`;
  return `Rows ${formatCount(from + 1)} to ${formatCount(to)} of ${formatCount(rows)}${all}`;
}

/** The axis and the minimap above must end where the lanes end: left of the scroll bar. */
function useScrollbarWidth(box: { current: HTMLElement | null }) {
  useEffect(() => {
    const element = box.current;
    const waterfall = element?.closest<HTMLElement>(".waterfall");
    if (!element || !waterfall) return;
    const measure = () =>
      waterfall.style.setProperty("--scrollbar", `${element.offsetWidth - element.clientWidth}px`);
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    if (element.firstElementChild) observer.observe(element.firstElementChild);
    return () => observer.disconnect();
  }, [box]);
}
