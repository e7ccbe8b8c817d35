import { useSyncExternalStore } from "react";
import type { RunSummary } from "../api/types";
import { Cell } from "./cell";

/** Ended runs that the page remembers, as many as the service itself. */
const MAX_ENDED = 500;
/** Runs in flight that the page remembers, far above what one process runs at a time by default. */
const MAX_IN_FLIGHT = 5_000;

export interface Runs {
  /** Newest first. */
  readonly inFlight: readonly RunSummary[];
  /** The one that ended last first. */
  readonly ended: readonly RunSummary[];
  /** Another number after a restart of the service: what was known before is no more. */
  readonly generation: number;
}

const NONE: Runs = { inFlight: [], ended: [], generation: 0 };
const byId = new Map<string, RunSummary>();
const changed = new Cell(0);
let view: Runs = NONE;
let viewOf = -1;
let generation = 0;

export const subscribeRuns = changed.subscribe;
export const currentRun = (id: string): RunSummary | undefined => byId.get(id);

/** All runs of this process that the page knows. */
export const useRuns = (): Runs => useSyncExternalStore(changed.subscribe, currentRuns);

/** One run, if this process knows it. */
export const useRun = (id: string): RunSummary | undefined =>
  useSyncExternalStore(changed.subscribe, () => byId.get(id));

export function currentRuns(): Runs {
  if (viewOf !== changed.get()) {
    const all = [...byId.values()];
    view = {
      inFlight: all
        .filter((run) => run.state !== "ended")
        .sort((one, other) => other.started_at - one.started_at),
      ended: all.filter((run) => run.state === "ended").sort((one, other) => endOf(other) - endOf(one)),
      generation,
    };
    viewOf = changed.get();
  }
  return view;
}

export function applyRuns(runs: readonly RunSummary[]): void {
  for (const run of runs) byId.set(run.id, run);
  forgetOldest();
  changed.set(changed.get() + 1);
}

/** Start from a snapshot: it has every run in flight, so one that it lacks has ended unseen. */
export function loadRuns(runs: readonly RunSummary[]): void {
  const inSnapshot = new Set(runs.map((run) => run.id));
  for (const [id, run] of byId) if (run.state !== "ended" && !inSnapshot.has(id)) byId.delete(id);
  applyRuns(runs);
}

export function clearRuns(): void {
  byId.clear();
  generation += 1;
  changed.set(changed.get() + 1);
}

function forgetOldest(): void {
  // Sorting at each event would cost more than a few hundred runs too many for a moment.
  if (byId.size <= MAX_ENDED * 1.2) return;
  const all = [...byId.values()];
  const ended = all.filter((run) => run.state === "ended").sort((one, other) => endOf(other) - endOf(one));
  // As in the service: plain successes go first.
  const kept = [...ended.filter((run) => !isPlain(run)), ...ended.filter(isPlain)];
  for (const run of kept.slice(MAX_ENDED)) byId.delete(run.id);
  if (all.length - ended.length <= MAX_IN_FLIGHT) return;
  const inFlight = all
    .filter((run) => run.state !== "ended")
    .sort((one, other) => other.started_at - one.started_at);
  for (const run of inFlight.slice(MAX_IN_FLIGHT)) byId.delete(run.id);
}

const isPlain = ({ outcome, retries, failures, tasks }: RunSummary): boolean =>
  outcome === "success" && retries + failures + tasks.failed + tasks.timed_out + tasks.cancelled === 0;

const endOf = (run: RunSummary): number => run.ended_at ?? run.started_at;
