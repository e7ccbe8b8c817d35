import type { CSSProperties } from "react";
import type { CancelRequest } from "./lanes";

/** More would hide the lanes. The list of events has all. */
const MAX_LINES = 20;

/** A dashed line across all rows at each time when somebody asked for an end. */
export function CancelLines({ requests, origin }: { requests: readonly CancelRequest[]; origin: number }) {
  return (
    <div className="cancel-lines" aria-hidden="true">
      {requests.slice(0, MAX_LINES).map(({ time, cause }) => (
        <div
          key={`${time} ${cause}`}
          className="cancel-line"
          data-time={time}
          style={{ "--start": (time - origin).toFixed(6) } as CSSProperties}
        >
          <span>⊘ cancel{cause !== null && `: ${cause}`}</span>
        </div>
      ))}
    </div>
  );
}
