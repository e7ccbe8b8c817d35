import { useState } from "react";
import type { RunSummary } from "../api/types";
import { useRuns } from "../store";
import { currentRun } from "../store/runs";
import { type Filters, matches } from "./filters";
import { rowOf, type RunRowData } from "./row";
import { useStableList } from "./useStableList";

export interface ShownRuns {
  /** The rows, live; which ones they are changes only with `showNew`. */
  readonly rows: readonly RunRowData[];
  /** All rows that are not hidden behind `showNew`, without the filters. */
  readonly all: readonly RunRowData[];
  /** Runs that came since and match. */
  readonly newCount: number;
  readonly showNew: () => void;
}

/** The runs that the page knew when the list was opened: new ones wait until the reader asks for them. */
export function useShownRuns(filters: Filters): ShownRuns {
  const { inFlight, ended, generation } = useRuns();
  const known = [...inFlight, ...ended];
  const [{ shown, of }, setShown] = useState(() => ({ shown: byId(known), of: generation }));
  const showKnown = (): void => setShown({ shown: byId(known), of: generation });
  // The first runs may come after the page, and a restart ends all: there is nothing then that could jump.
  const begins = of !== generation || (shown.size === 0 && known.length > 0);
  if (begins) showKnown();

  const current = [...shown.values()].map((run) => rowOf(currentRun(run.id) ?? run));
  const all = useStableList(current.sort((one, other) => other.startedAt - one.startedAt));
  const fresh = begins ? [] : known.filter((run) => !shown.has(run.id) && matches(rowOf(run), filters));
  return {
    rows: useStableList(all.filter((row) => matches(row, filters))),
    all,
    newCount: fresh.length,
    showNew: showKnown,
  };
}

const byId = (runs: readonly RunSummary[]): ReadonlyMap<string, RunSummary> =>
  new Map(runs.map((run) => [run.id, run]));
