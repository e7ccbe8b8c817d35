import { useCallback, useEffect, useState } from "react";
import { ApiError, errorText } from "../api/client";
import { readRun } from "../api/runs";
import { NAMES } from "../api/schema";
import type { RunRecord } from "../api/types";

const FINAL = new Set<RunRecord["state"]>(NAMES.FinalRunState);
const POLL_MS = 1000;

export interface KnownRecord {
  /** null while it is loading, and for what is no background run. */
  record: RunRecord | null;
  /** The engine does not know the run (any more). */
  missing: boolean;
  error: string | null;
  /** Takes over what the service answered to a command. */
  put: (record: RunRecord) => void;
}

export function isFinal(record: RunRecord): boolean {
  return FINAL.has(record.state);
}

/**
 * The record of a background run: read anew whenever what this process sees of the run changes (`version`), and
 * every second until it has ended, since it may wait, or run at another process.
 */
export function useRecord(id: string | null, version: string): KnownRecord {
  const [known, setKnown] = useState<{ id: string | null; record: RunRecord | null; error: unknown }>(
    NOTHING,
  );
  const current = known.id === id ? known : NOTHING;
  const missing = current.error instanceof ApiError && current.error.status === 404;
  const settled = missing || (current.record !== null && isFinal(current.record));

  useEffect(() => {
    if (id === null) return;
    const abort = new AbortController();
    const read = () =>
      readRun(id, abort.signal).then(
        (record) => setKnown({ id, record, error: null }),
        (error: unknown) => {
          if (!abort.signal.aborted)
            setKnown((before) => ({ ...(before.id === id ? before : NOTHING), id, error }));
        },
      );
    void read();
    const timer = settled ? undefined : setInterval(() => void read(), POLL_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [id, version, settled]);

  return {
    record: current.record,
    missing,
    error: current.error === null || missing ? null : errorText(current.error),
    put: useCallback((record) => setKnown({ id: record.id, record, error: null }), []),
  };
}

const NOTHING = { id: null, record: null, error: null };
