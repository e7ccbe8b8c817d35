import { memo, type CSSProperties } from "react";
import type { Span } from "../api/types";
import { formatNumber } from "../format";
import { type Bound, boundsOf, boundsOnBar, plannedOf } from "./bounds";
import type { SpanNode } from "./lanes";
import { isFrame, markOf, statusOf, toneOf } from "./status";

interface BarProps {
  span: Span;
  /** The trace's start, from which bars count their time. */
  origin: number;
  thin?: boolean;
}

/** One bar; a running one ends where the time is. */
const Bar = memo(function Bar({ span, origin, thin = false }: BarProps) {
  const style = {
    "--start": (span.start - origin).toFixed(6),
    "--end": span.end === null ? "var(--now)" : (span.end - origin).toFixed(6),
  } as CSSProperties;
  const mark = thin ? "" : markOf(span);
  return (
    <i
      className={`bar bar-${span.kind} tone-${toneOf(span)} ${thin ? "bar-thin" : ""}`}
      data-kind={span.kind}
      data-span-id={span.id}
      data-outcome={statusOf(span)}
      style={style}
    >
      {mark && <b className="bar-mark">{mark}</b>}
    </i>
  );
});

/** How long a wait is to go on: only an outline, since it may be cancelled. */
function Ghost({ span, origin }: BarProps) {
  return plannedOf(span).map(({ at }) => (
    <i
      key={at}
      className="ghost tone-backoff"
      style={
        { "--start": (span.start - origin).toFixed(6), "--end": (at - origin).toFixed(6) } as CSSProperties
      }
    />
  ));
}

/** Ticks at the times by which a span has to end. */
function Ticks({ span, origin, bounds }: BarProps & { bounds: readonly Bound[] }) {
  return bounds.map(({ kind, at }) => (
    <i
      key={kind}
      className={`tick tick-${kind}`}
      title={`${kind} of ${formatNumber(at - span.start)} s`}
      style={{ "--start": (at - origin).toFixed(6) } as CSSProperties}
    />
  ));
}

/** A span's lane: the span itself, and over it its attempts, the backoff between them, and cleanup. */
export function Bars({ node, origin }: { node: SpanNode; origin: number }) {
  const thin = isFrame(node.span) || node.segments.some((segment) => segment.kind === "attempt");
  return (
    <>
      <Ghost span={node.span} origin={origin} />
      {node.segments.map((segment) => (
        <Ghost key={segment.id} span={segment} origin={origin} />
      ))}
      <Bar span={node.span} origin={origin} thin={thin} />
      {node.segments.map((segment) => (
        <Bar key={segment.id} span={segment} origin={origin} />
      ))}
      <Ticks span={node.span} origin={origin} bounds={boundsOf(node.span)} />
      {node.segments.map((segment) => (
        <Ticks key={segment.id} span={segment} origin={origin} bounds={boundsOnBar(segment)} />
      ))}
    </>
  );
}
