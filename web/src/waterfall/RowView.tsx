import { memo, type MouseEvent } from "react";
import { Bars } from "./Bars";
import { plannedOf } from "./bounds";
import { attemptsOf, type SpanNode } from "./lanes";
import type { Row } from "./rows";
import { statusOf, symbolOf } from "./status";
import { detailOf, durationText, labelOf, rowText, whyOf } from "./text";

/** Deeper rows are not indented further: the name must have room. */
const MAX_INDENT = 12;

interface RowViewProps {
  row: Row;
  /** From 1, as `aria-rowindex`. */
  index: number;
  top: number;
  origin: number;
  active: boolean;
  selected: boolean;
  onPress: (row: Row) => void;
  onToggle: (id: string) => void;
}

export const RowView = memo(function RowView(props: RowViewProps) {
  const { row, index, top, origin, active, selected, onPress, onToggle } = props;
  const { span } = row.node;
  const toggle = (event: MouseEvent) => {
    event.stopPropagation();
    onToggle(span.id);
  };
  return (
    <div
      role="row"
      aria-label={rowText(span)}
      aria-level={row.level}
      aria-posinset={row.position}
      aria-setsize={row.setSize}
      aria-rowindex={index}
      aria-expanded={row.expanded ?? undefined}
      aria-selected={selected}
      tabIndex={active ? 0 : -1}
      className="span-row"
      data-span-id={span.id}
      data-status={statusOf(span)}
      style={{ top }}
      onClick={() => onPress(row)}
    >
      <div
        role="gridcell"
        className="span-name"
        style={{ paddingInlineStart: Math.min(row.level - 1, MAX_INDENT) * 14 }}
      >
        <span
          className="span-chevron"
          aria-hidden="true"
          onClick={row.expanded === null ? undefined : toggle}
        >
          {row.expanded === null ? "" : row.expanded ? "▾" : "▸"}
        </span>
        <Name row={row} origin={origin} />
      </div>
      <div role="gridcell" className="span-duration">
        {span.end === null ? <Clock since={span.start - origin} /> : durationText(span)}
      </div>
      <div role="gridcell" className="span-lane">
        <Bars node={row.node} origin={origin} />
      </div>
    </div>
  );
});

function Name({ row: { node }, origin }: { row: Row; origin: number }) {
  const { span } = node;
  const status = statusOf(span);
  const attempts = attemptsOf(node);
  const detail = detailOf(span);
  const why = whyOf(span);
  return (
    <>
      <span className={`span-symbol status-${status}`} aria-hidden="true">
        {symbolOf(span)}
      </span>
      <span className="span-label" title={labelOf(span)}>
        {span.name}
      </span>
      {detail && <span className="span-detail">{detail}</span>}
      {attempts > 1 && (
        <span className="span-attempts" title={`${attempts} attempts`}>
          ×{attempts}
        </span>
      )}
      <NextAttempt node={node} origin={origin} />
      {why && <span className={`span-why status-${status}`}>{why}</span>}
    </>
  );
}

/** When a retry that waits goes on, and with which attempt; the timeline writes the time. */
function NextAttempt({ node, origin }: { node: SpanNode; origin: number }) {
  const [wait] = node.segments.flatMap(plannedOf);
  if (wait === undefined) return null;
  const most = node.span.max_attempts;
  return (
    <span className="span-next">
      next attempt in <span data-waiting-until={wait.at - origin} />, {attemptsOf(node) + 1}
      {most !== null && ` of ${most}`}
    </span>
  );
}

/** Counts by itself: the timeline writes its text. */
function Clock({ since }: { since: number }) {
  return <span data-running-since={since} />;
}
