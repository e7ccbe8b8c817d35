import type { RunError, RunRecord, RunSummary, TaskCounts } from "../api/types";
import { parseTime } from "../format";
import { runStatus } from "../theme/status";
import { countsOfRecord, errorsOfRecord } from "./tasks";

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
  readonly counts: { readonly attempts: number; readonly retries: number } | null;
  readonly tasks: TaskCounts | null;
  readonly error: RunError | null;
  readonly errorTypes: readonly string[];
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
      counts: { attempts: run.attempts, retries: run.retries },
      tasks: run.tasks,
      error: run.error,
      errorTypes: run.error_types,
      cancelCause: run.cancel_cause,
      text: textOf(
        [run.id, run.trace_id, run.workflow, runStatus(run), run.kind, run.cancel_cause],
        run.error,
        run.error_types,
      ),
    };
    rows.set(run, row);
  }
  return row;
}

export function rowOfRecord(record: RunRecord): RunRowData {
  const { id, workflow, state, outcome } = record;
  const running = state === "queued" || state === "running" || state === "cancelling";
  const status = running ? state : (outcome ?? state);
  const counts = countsOfRecord(record);
  const { error, types } = errorsOfRecord(record);
  return {
    id,
    kind: "background",
    workflow,
    state: state === "cancelling" ? "cancelling" : running ? "running" : "ended",
    status,
    startedAt: parseTime(record.started_at ?? record.submitted_at),
    endedAt: record.ended_at === undefined ? null : parseTime(record.ended_at),
    counts,
    tasks: counts?.tasks ?? null,
    error,
    errorTypes: types,
    cancelCause: null,
    text: textOf([id, record.trace_id, workflow, status, "background"], error, types),
  };
}

const textOf = (
  parts: readonly (string | null | undefined)[],
  error: RunError | null,
  types: readonly string[],
): string => [...parts, ...types, error?.message].join(" ").toLowerCase();
