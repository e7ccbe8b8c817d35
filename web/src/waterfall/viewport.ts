import { useCallback, useLayoutEffect, useRef, useState, type RefObject } from "react";
import type { Row } from "./rows";

/** Rows rendered beyond the visible ones, at either side. */
const OVERSCAN = 10;

interface Viewport {
  /** The rows to render: from `first` up to, not including, `last`. */
  first: number;
  last: number;
  /** The rows in sight: from `from` up to, not including, `to`. */
  from: number;
  to: number;
  height: number;
  onScroll: () => void;
  scrollTo: (index: number) => void;
}

/**
 * Which rows of a scrolling box are in sight. When rows appear or vanish above the first visible one, the box
 * scrolls along, so that what a reader looks at stays where it is.
 */
export function useViewport(
  box: RefObject<HTMLElement | null>,
  rows: readonly Row[],
  rowHeight: number,
): Viewport {
  const [firstVisible, setFirstVisible] = useState(0);
  const [height, setHeight] = useState(0);
  const anchor = useRef<{ id: string; index: number } | null>(null);

  const onScroll = useCallback(() => {
    const index = Math.floor((box.current?.scrollTop ?? 0) / rowHeight);
    const id = rows[index]?.node.span.id;
    anchor.current = id === undefined ? null : { id, index };
    setFirstVisible(index);
  }, [box, rows, rowHeight]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    setHeight(element.clientHeight);
    return () => observer.disconnect();
  }, [box]);

  useLayoutEffect(() => {
    const element = box.current;
    const before = anchor.current;
    if (!element || !before || element.scrollTop < rowHeight) return;
    const index = rows.findIndex((row) => row.node.span.id === before.id);
    if (index >= 0 && index !== before.index) element.scrollTop += (index - before.index) * rowHeight;
    onScroll();
  }, [box, rows, rowHeight, onScroll]);

  const scrollTo = useCallback(
    (index: number) => {
      const element = box.current;
      if (!element) return;
      const top = index * rowHeight;
      const bottom = top + rowHeight - element.clientHeight;
      if (element.scrollTop > top) element.scrollTop = top;
      else if (element.scrollTop < bottom) element.scrollTop = bottom;
      onScroll();
    },
    [box, rowHeight, onScroll],
  );

  const visible = Math.ceil(height / rowHeight) + 1;
  const from = Math.max(Math.min(firstVisible, rows.length - Math.floor(height / rowHeight)), 0);
  const first = Math.max(Math.min(firstVisible, rows.length - visible) - OVERSCAN, 0);
  return {
    first,
    last: Math.min(firstVisible + visible + OVERSCAN, rows.length),
    from,
    to: Math.min(from + Math.max(Math.ceil(height / rowHeight), 1), rows.length),
    height,
    onScroll,
    scrollTo,
  };
}
