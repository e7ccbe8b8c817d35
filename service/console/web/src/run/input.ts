import { useEffect, useState } from "react";
import { readInput } from "../api/runs";
import type { RunInput } from "../api/types";

/** What an inline run was started with: undefined while that is asked for, null where nobody knows it any more. */
export function useInlineInput(id: string | null): RunInput | null | undefined {
  const [known, setKnown] = useState<RunInput | null>();
  useEffect(() => {
    if (id === null) return;
    const abort = new AbortController();
    readInput(id, abort.signal).then(setKnown, () => {
      if (!abort.signal.aborted) setKnown(null);
    });
    return () => abort.abort();
  }, [id]);
  return id === null ? undefined : known;
}
