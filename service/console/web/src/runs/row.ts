import type { RunRecord, RunSummary } from "../api/types";
import { parseTime } from "../format";
import { runStatus } from "../theme/status";

/** A run as lists show it: live from this process, or from the engine's records. */
export interface RunRowData {
  readonly id: string;
  readonly kind: "background" | "inline";
  readonly workflow: string;
  readonly state: RunSummary["state"];
  readonly status: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** null where nobody counted them for this page. */
  readonly counts: { readonly attempts: number; readonly retries: number; readonly failures: number } | null;
  readonly cancelCause: string | null;
  /** What the search looks at, in small letters. */
  readonly text: string;
}

const rows = new WeakMap<RunSummary, RunRowData>();

/** The same object for the same run, so that its row is not drawn anew. */
export function rowOf(run: RunSummary): RunRowData {
  let row = rows.get(run);
  if (row === undefined) {
    row = {
      id: run.id,
      kind: run.kind,
      workflow: run.workflow,
      state: run.state,
      status: runStatus(run),
      startedAt: run.started_at,
      endedAt: run.ended_at,
      counts: { attempts: run.attempts, retries: run.retries, failures: run.failures },
      cancelCause: run.cancel_cause,
      text: textOf(run.id, run.workflow, runStatus(run), run.kind, run.cancel_cause ?? ""),
    };
    rows.set(run, row);
  }
  return row;
}

export function rowOfRecord(record: RunRecord): RunRowData {
  const { id, workflow, state, outcome } = record;
  const running = state === "queued" || state === "running" || state === "cancelling";
  const status = running ? state : (outcome ?? state);
  return {
    id,
    kind: "background",
    workflow,
    state: state === "cancelling" ? "cancelling" : running ? "running" : "ended",
    status,
    startedAt: parseTime(record.started_at ?? record.submitted_at),
    endedAt: record.ended_at === undefined ? null : parseTime(record.ended_at),
    counts: null,
    cancelCause: null,
    text: textOf(id, workflow, status, "background"),
  };
}

const textOf = (...parts: readonly string[]): string => parts.join(" ").toLowerCase();
