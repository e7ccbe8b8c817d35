import { useEffect, useRef, type KeyboardEvent } from "react";
import type { Span, SpanLink } from "../api/types";
import { formatDuration } from "../format";
import { Link, runPath } from "../router";
import { Button, CopyButton, StatusChip } from "../ui";
import { statusOf } from "../waterfall/status";
import { durationText, labelOf } from "../waterfall/text";
import { Attributes, textOf } from "./Attributes";
import { traceqlOfSpan } from "./traceql";

interface SpanDetailsProps {
  span: Span;
  /** The trace's start. */
  origin: number;
  traceId: string;
  /** Counts up when the reader asked for the details, so that they get the focus. */
  asked: number;
  isHere: (spanId: string) => boolean;
  onFocusSpan: (spanId: string) => void;
  onClose: () => void;
}

/** All that is known about one span. */
export function SpanDetails({
  span,
  origin,
  traceId,
  asked,
  isHere,
  onFocusSpan,
  onClose,
}: SpanDetailsProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (asked > 0) heading.current?.focus();
  }, [asked]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    onClose();
  };
  return (
    <aside className="panel span-details" aria-label="Span details" onKeyDown={onKeyDown}>
      <div className="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {labelOf(span)}
        </h2>
        <Button look="quiet" aria-label="Close the details" onPress={onClose}>
          ✕
        </Button>
      </div>
      <p className="span-facts">
        <StatusChip status={statusOf(span)} /> {span.kind}, {durationText(span)}, from{" "}
        {formatDuration(span.start - origin)} on
        {span.cancel_cause && <>, cancelled by {span.cancel_cause}</>}
      </p>
      {span.error && <ErrorOf span={span} error={span.error} />}
      <Attributes attributes={span.attributes} />
      {span.events.length > 0 && (
        <>
          <h3>Events</h3>
          <ol className="span-events">
            {span.events.map((event, index) => (
              <li key={index}>
                <b>{formatDuration(event.time - origin)}</b> {event.name}
                <Attributes attributes={event.attributes} />
              </li>
            ))}
          </ol>
        </>
      )}
      {span.links.length > 0 && (
        <>
          <h3>Links</h3>
          <ul className="span-links">
            {span.links.map((link, index) => (
              <li key={index}>
                <LinkedSpan
                  link={link}
                  here={link.trace_id === traceId && isHere(link.span_id)}
                  onFocus={onFocusSpan}
                />
              </li>
            ))}
          </ul>
        </>
      )}
      <p className="span-copy">
        <CopyButton
          label="Copy TraceQL"
          description="Copy the TraceQL of such spans"
          text={() => traceqlOfSpan(span)}
        />
        <CopyButton label="Copy span id" text={() => span.id} />
      </p>
    </aside>
  );
}

function ErrorOf({ span, error }: { span: Span; error: NonNullable<Span["error"]> }) {
  const exception = span.events.find((event) => event.name === "exception");
  const trace = exception?.attributes["exception.stacktrace"];
  return (
    <div className="span-error">
      <p>
        <b>{error.type}</b>
        {error.message && `: ${error.message}`}
      </p>
      {trace !== undefined && (
        <details>
          <summary>Stack trace</summary>
          <pre tabIndex={0} aria-label="Stack trace">
            {textOf(trace)}
          </pre>
        </details>
      )}
    </div>
  );
}

function LinkedSpan({
  link,
  here,
  onFocus,
}: {
  link: SpanLink;
  here: boolean;
  onFocus: (id: string) => void;
}) {
  const text = `${(link.kind ?? "link").replaceAll("_", " ")}: span ${link.span_id}`;
  if (here) {
    return (
      <Button look="quiet" onPress={() => onFocus(link.span_id)}>
        {text}
      </Button>
    );
  }
  return <Link href={`${runPath(link.trace_id)}?span=${link.span_id}`}>{text} of another trace</Link>;
}
