import { useState } from "react";
import { errorText } from "../api/client";
import { cancelRun } from "../api/runs";
import type { RunSummary } from "../api/types";
import { watchRun } from "../store";

/**
 * Asks for a run to be cancelled, and says how far that is: Cancel, Cancelling, Ended.
 *
 * It stays where it is when it can't be pressed any more, so that the focus is not lost.
 */
export function CancelButton({ run }: { readonly run: Pick<RunSummary, "id" | "workflow" | "state"> }) {
  const [asked, setAsked] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const busy = asked || run.state !== "running";
  const label = run.state === "ended" ? "Ended" : busy ? "Cancelling…" : "Cancel";

  const press = async (): Promise<void> => {
    if (busy) return;
    setAsked(true);
    setFailure(null);
    watchRun(run.id);
    try {
      await cancelRun(run.id);
    } catch (error) {
      setAsked(false);
      setFailure(errorText(error));
    }
  };

  return (
    <span className="cancel">
      <button
        type="button"
        className="button button-quiet button-danger"
        aria-disabled={busy || undefined}
        aria-label={`${label} ${run.workflow} ${run.id.slice(0, 8)}`}
        onClick={press}
      >
        {label}
      </button>
      <span role="alert" className="cancel-failure">
        {failure}
      </span>
    </span>
  );
}
