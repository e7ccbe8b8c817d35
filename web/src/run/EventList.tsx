import { useMemo, useState } from "react";
import type { Span } from "../api/types";
import { formatDuration, plural } from "../format";
import { Button } from "../ui";
import { labelOf } from "../waterfall/text";
import { textOf } from "./Attributes";

const PAGE = 200;

interface EventListProps {
  spans: readonly Span[];
  origin: number;
  onFocusSpan: (spanId: string) => void;
}

/** The events of all spans in the order of their times. */
export function EventList({ spans, origin, onFocusSpan }: EventListProps) {
  const [shown, setShown] = useState(PAGE);
  const events = useMemo(
    () =>
      spans
        .flatMap((span) => span.events.map((event) => ({ span, event })))
        .sort((one, other) => one.event.time - other.event.time),
    [spans],
  );
  if (events.length === 0) return <p className="dim">Nothing but spans: no event was recorded.</p>;
  return (
    <>
      <div className="scroll-x" tabIndex={0} role="region" aria-label="Events of the trace">
        <table>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Event</th>
              <th scope="col">Span</th>
              <th scope="col">Says</th>
            </tr>
          </thead>
          <tbody>
            {events.slice(0, shown).map(({ span, event }, index) => (
              <tr key={index}>
                <td className="number">{formatDuration(event.time - origin)}</td>
                <td>{event.name}</td>
                <td>
                  <Button look="quiet" onPress={() => onFocusSpan(span.id)}>
                    {labelOf(span)}
                  </Button>
                </td>
                <td>{saysOf(event.attributes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {events.length > shown && (
        <Button onPress={() => setShown(shown + PAGE)}>Show more of {plural(events.length, "event")}</Button>
      )}
    </>
  );
}

function saysOf(attributes: Readonly<Record<string, unknown>>): string {
  return Object.entries(attributes)
    .filter(([name]) => name !== "exception.stacktrace")
    .map(([name, value]) => `${name.split(".").at(-1)}: ${textOf(value)}`)
    .join(", ");
}
