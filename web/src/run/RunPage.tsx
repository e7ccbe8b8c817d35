import { useMemo, useRef, useState } from "react";
import { formatCount } from "../format";
import { currentLocation, Link, navigate, runPath } from "../router";
import { lastRunsPath } from "../runs/back";
import { useRun, useTrace, useWatchedRun } from "../store";
import { Waterfall, type WaterfallHandle } from "../waterfall/Waterfall";
import { addressOf } from "./address";
import { Disclosure } from "./Disclosure";
import { EventList } from "./EventList";
import { factsOf, findRunSpan, spansOf } from "./facts";
import { RunDocuments } from "./RunDocuments";
import { RunNotes } from "./RunNotes";
import { RunHeader } from "./RunHeader";
import { RunReason } from "./RunReason";
import { RunSummaryList } from "./RunSummaryList";
import { SpanDetails } from "./SpanDetails";
import { TraceJson } from "./TraceJson";
import { useInlineRun } from "./inline";
import { useRecord } from "./record";
import { waitingOf, whyOf } from "./why";
import "./run.css";

/** One run, or one trace, with its waterfall. `id` is a run's id, `TRACE-SPAN` of an inline run, or a trace's id. */
export function RunPage({ id }: { id: string }) {
  const address = useMemo(() => addressOf(id), [id]);
  const summary = useRun(id);
  const seen = summary ? `${summary.state} ${summary.outcome}` : "";
  const known = useRecord(address.kind === "background" ? id : null, seen);
  const { record } = known;
  const inline = useInlineRun(address.kind === "inline" ? id : null, seen);
  const documents = record ?? inline ?? null;
  const traceId =
    address.kind === "background" ? (record?.trace_id ?? summary?.trace_id ?? null) : address.traceId;
  const trace = useTrace(traceId);
  const { spans } = trace;
  useWatchedRun(id);

  const [selectedId, setSelectedId] = useState(spanOfAddress);
  const [asked, setAsked] = useState(0);
  const waterfall = useRef<WaterfallHandle>(null);
  const root = useMemo(
    () => findRunSpan(spans, id, address.kind === "inline" ? address.spanId : null),
    [spans, id, address],
  );
  const inside = useMemo(
    () => spansOf(spans, address.kind === "trace" ? null : root),
    [spans, root, address],
  );
  const facts = useMemo(() => factsOf(summary, record, root, inside), [summary, record, root, inside]);
  const why = useMemo(() => whyOf(facts, inside), [facts, inside]);
  const waiting = useMemo(() => waitingOf(inside), [inside]);
  const origin = useMemo(() => spans.reduce((least, span) => Math.min(least, span.start), Infinity), [spans]);
  const selected = spans.find((span) => span.id === selectedId);

  const select = (spanId: string | null) => {
    setSelectedId(spanId);
    // In the address, so that it can be shared and a reload shows the same.
    navigate(`${runPath(id)}${spanId === null ? "" : `?span=${spanId}`}`, { replace: true });
  };
  const focusSpan = (spanId: string) => {
    select(spanId);
    waterfall.current?.focusSpan(spanId);
  };
  const traced = spans.length > 0 && traceId !== null;
  const title = facts.workflow ?? (address.kind === "trace" ? "Trace" : "Run");

  return (
    <div className="run-page">
      <p className="run-back">
        <Link href={lastRunsPath()}>← Runs</Link>
      </p>
      <RunHeader title={title} facts={facts} record={record} input={documents} onRecord={known.put} />
      <RunReason why={why} waiting={waiting} />
      <RunNotes
        address={address}
        known={known}
        forgotten={inline === null}
        facts={facts}
        trace={trace}
        traceId={traceId}
        spans={spans}
      />
      <RunSummaryList
        runId={address.kind === "trace" ? null : id}
        facts={facts}
        record={record}
        traceId={traceId}
      />
      {documents && <RunDocuments {...documents} />}
      {trace.truncated && (
        <p className="run-banner" role="note">
          {formatCount(spans.length)} of {formatCount(trace.total)} spans are shown: the outermost ones.
        </p>
      )}
      {traced && (
        <div className="run-trace" data-details={selected !== undefined}>
          <Waterfall
            handle={waterfall}
            spans={spans}
            cancelRequestedAt={facts.cancelRequestedAt}
            selectedId={selectedId}
            initialId={selectedId ?? (address.kind === "inline" ? address.spanId : null)}
            onSelect={select}
            onDetails={(spanId) => {
              select(spanId);
              setAsked(asked + 1);
            }}
          />
          {selected && (
            <SpanDetails
              span={selected}
              origin={origin}
              traceId={traceId}
              asked={asked}
              isHere={(spanId) => spans.some((span) => span.id === spanId)}
              onFocusSpan={focusSpan}
              onClose={() => {
                const closed = selected.id;
                select(null);
                setAsked(0);
                waterfall.current?.focusSpan(closed);
              }}
            />
          )}
        </div>
      )}
      {traced && (
        <>
          <Disclosure title="Events">
            {() => <EventList spans={spans} origin={origin} onFocusSpan={focusSpan} />}
          </Disclosure>
          <Disclosure title="JSON">{() => <TraceJson traceId={traceId} />}</Disclosure>
        </>
      )}
    </div>
  );
}

function spanOfAddress(): string | null {
  return new URLSearchParams(currentLocation().search).get("span");
}
