import { useEffect } from "react";

/** Runs whose changes of state are announced: those that the reader started, cancelled or has opened. */
const watched = new Set<string>();
/** A reader who starts more than this one after the other hears of the latest ones. */
const MAX_WATCHED = 50;

export const watchedRuns = (): ReadonlySet<string> => watched;

export function watchRun(id: string): void {
  watched.delete(id);
  watched.add(id);
  for (const oldest of watched) {
    if (watched.size <= MAX_WATCHED) break;
    watched.delete(oldest);
  }
}

/** Announce the run's changes of state from now on. */
export function useWatchedRun(id: string): void {
  useEffect(() => {
    watchRun(id);
  }, [id]);
}
