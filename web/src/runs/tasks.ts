/** What a run's tasks came to, in words: a run that says success may hide failures. */

import { NAMES } from "../api/schema";
import type { RunError, RunRecord, TaskCounts } from "../api/types";
import { formatCount, plural } from "../format";

const FAILED = new Set<string>([...NAMES.FailedOutcome, ...NAMES.FailedRunState]);

/** Words and the status that gives each its symbol and colour, the worst first. */
export const TASK_STATES = [
  ["failed", "failed", "failed"],
  ["timed_out", "timed_out", "timed out"],
  ["cancelled", "cancelled", "cancelled"],
  ["running", "running", "running"],
  ["succeeded", "success", "succeeded"],
] as const;

export const failedTasks = (tasks: TaskCounts | null): number =>
  tasks === null ? 0 : tasks.failed + tasks.timed_out;

export const totalTasks = (tasks: TaskCounts | null): number =>
  tasks === null ? 0 : TASK_STATES.reduce((sum, [key]) => sum + tasks[key], 0);

/** Whether the run failed, or any task of it. */
export const hasFailures = (status: string, tasks: TaskCounts | null): boolean =>
  FAILED.has(status) || failedTasks(tasks) > 0;

/** `9 of 30 tasks failed`, `2 of 3 tasks timed out`, `1 of 5 tasks failed, 2 timed out`; null if none did. */
export function failuresText(tasks: TaskCounts | null): string | null {
  if (tasks === null || failedTasks(tasks) === 0) return null;
  const { failed, timed_out: timedOut } = tasks;
  const of = `of ${plural(totalTasks(tasks), "task")}`;
  if (failed === 0) return `${formatCount(timedOut)} ${of} timed out`;
  const also = timedOut === 0 ? "" : `, ${formatCount(timedOut)} timed out`;
  return `${formatCount(failed)} ${of} failed${also}`;
}

/** The status to show: a success with failures in it is not shown as one without. */
export const shownStatus = (status: string, tasks: TaskCounts | null): string =>
  status === "success" && failedTasks(tasks) > 0 ? "partial" : status;

/** The message of a timeout says that it is one. */
export const errorText = ({ type, message }: RunError): string => {
  if (message === "" || message === type) return type;
  return type === "timeout" ? message : `${type}: ${message}`;
};

/** What a record says of a run that has ended. */
export function countsOfRecord({ result }: RunRecord) {
  const { counts, tasks = [] } = result ?? {};
  if (counts === undefined) return null;
  const attempts = tasks.map((task) => task.attempts);
  return {
    tasks: { running: 0, ...counts },
    attempts: attempts.reduce((sum, each) => sum + each, 0),
    retries: attempts.reduce((sum, each) => sum + Math.max(each - 1, 0), 0),
  };
}

/** The error of a run, or else the last one of a task of it; and the types of all. */
export function errorsOfRecord({ error, result }: RunRecord): {
  error: RunError | null;
  types: readonly string[];
} {
  const inside = (result?.tasks ?? []).flatMap((task) => task.error ?? []);
  const all = error === undefined ? inside : [...inside, error];
  return { error: all.at(-1) ?? null, types: [...new Set(all.map((each) => each.type))] };
}
