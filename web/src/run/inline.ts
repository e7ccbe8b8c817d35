import { useEffect, useState } from "react";
import { readInlineRun } from "../api/runs";
import type { InlineRun } from "../api/types";

/**
 * What an inline run was started with, and what it answered: undefined while that is asked for, null where nobody
 * knows it any more. Read anew whenever what this process sees of the run changes (`version`).
 */
export function useInlineRun(id: string | null, version: string): InlineRun | null | undefined {
  const [known, setKnown] = useState<InlineRun | null>();
  useEffect(() => {
    if (id === null) return;
    const abort = new AbortController();
    readInlineRun(id, abort.signal).then(setKnown, () => {
      if (!abort.signal.aborted) setKnown((before) => before ?? null);
    });
    return () => abort.abort();
  }, [id, version]);
  return id === null ? undefined : known;
}
