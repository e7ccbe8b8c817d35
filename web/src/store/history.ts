import { useEffect } from "react";
import { apiGet, errorText } from "../api/client";
import type { History, StreamEvents } from "../api/types";
import { appended } from "./appended";
import { Cell, useCell } from "./cell";

export interface HistoryState {
  /** null until it is loaded. */
  readonly history: History | null;
  readonly error: string | null;
}

const cell = new Cell<HistoryState>({ history: null, error: null });
let readers = 0;
let loading: AbortController | null = null;

/** The charts' points: those of one second are kept live, the others are as of the last `reloadHistory`. */
export function useHistory(): HistoryState {
  useEffect(() => {
    readers += 1;
    if (readers === 1) reloadHistory();
    return () => {
      readers -= 1;
      if (readers === 0) clearHistory();
    };
  }, []);
  return useCell(cell);
}

export function reloadHistory(): void {
  if (readers === 0) return;
  loading?.abort();
  const abort = (loading = new AbortController());
  apiGet<History>("/console/history", abort.signal).then(
    (history) => cell.set({ history, error: null }),
    (error: unknown) => {
      if (!abort.signal.aborted) cell.set({ history: cell.get().history, error: errorText(error) });
    },
  );
}

/** Forget the points, for example those of a process that is no more. */
export function clearHistory(): void {
  loading?.abort();
  cell.set({ history: null, error: null });
}

export function applyMetrics(event: StreamEvents["metrics"]): void {
  const { history } = cell.get();
  if (history !== null) cell.set({ history: appended(history, event), error: null });
}
