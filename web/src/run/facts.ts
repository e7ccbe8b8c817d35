import { NAMES } from "../api/schema";
import type { RunError, RunRecord, RunSummary, Span, TaskCounts } from "../api/types";
import { parseTime } from "../format";
import { countsOfRecord, errorsOfRecord } from "../runs/tasks";
import { runStatus } from "../theme/status";

/** What a run page says about its run, from whichever source knows it. */
export interface RunFacts {
  workflow: string | null;
  status: string;
  ended: boolean;
  startedAt: number | null;
  endedAt: number | null;
  /** null where nobody here has seen them, as of a run at another process, or whose trace is gone. */
  attempts: number | null;
  retries: number | null;
  failures: number;
  /** How its tasks ended; null as above. */
  tasks: TaskCounts | null;
  error: RunError | null;
  /** Seconds spent waiting between attempts, of all its operations together; null as above. */
  backoff: number | null;
  cancelCause: string | null;
  /** When the service was asked to cancel it. */
  cancelRequestedAt: number | null;
  delivery: number | null;
}

const FAILED = new Set<string>(NAMES.FailedOutcome);
const DELIVERY = "retryscope.run.delivery";
const RUN_ID = "retryscope.run.id";
const WORKFLOW = "resilience.workflow";
const TASKS = "retryscope.run.tasks.";
const ATTEMPTS = "retryscope.run.attempts";

/** The span that is the run: the one named, else the last delivery of a background run, else the first workflow. */
export function findRunSpan(spans: readonly Span[], runId: string, spanId: string | null): Span | null {
  if (spanId !== null) return spans.find((span) => span.id === spanId) ?? null;
  const workflows = spans.filter((span) => span.kind === "workflow");
  return workflows.findLast((span) => span.attributes[RUN_ID] === runId) ?? workflows[0] ?? null;
}

/** The span and everything inside it. */
export function spansOf(spans: readonly Span[], root: Span | null): readonly Span[] {
  if (root === null) return spans;
  const children = new Map<string, Span[]>();
  for (const span of spans) {
    if (span.parent === null) continue;
    const known = children.get(span.parent);
    if (known) known.push(span);
    else children.set(span.parent, [span]);
  }
  const inside = [root];
  for (let index = 0; index < inside.length; index++) {
    inside.push(...(children.get((inside[index] as Span).id) ?? []));
  }
  return inside;
}

export function factsOf(
  summary: RunSummary | undefined,
  record: RunRecord | null,
  root: Span | null,
  inside: readonly Span[],
): RunFacts {
  const attempts = inside.filter((span) => span.kind === "attempt");
  const backoffs = inside.filter((span) => span.kind === "backoff");
  const counted = (count: number): number | null => (root === null ? null : count);
  const status = statusOf(summary, record, root);
  const startedAt = summary?.started_at ?? root?.start ?? timeOf(record?.started_at);
  const ofRecord = record && countsOfRecord(record);
  const ofSpan = root && countsOfSpan(root);
  const delivery = record?.delivery ?? root?.attributes[DELIVERY];
  return {
    workflow: summary?.workflow ?? record?.workflow ?? textOf(root?.attributes[WORKFLOW]),
    status,
    ended: !["queued", "running", "cancelling"].includes(status),
    startedAt,
    endedAt: summary?.ended_at ?? root?.end ?? timeOf(record?.ended_at),
    attempts: summary?.attempts ?? ofSpan?.attempts ?? ofRecord?.attempts ?? counted(attempts.length),
    retries:
      summary?.retries ??
      ofRecord?.retries ??
      counted(attempts.filter((span) => (span.attempt ?? 1) > 1).length),
    failures: summary?.failures ?? attempts.filter((span) => FAILED.has(span.outcome ?? "")).length,
    tasks: summary?.tasks ?? ofSpan?.tasks ?? ofRecord?.tasks ?? null,
    error: summary?.error ?? (record && errorsOfRecord(record).error) ?? root?.error ?? null,
    backoff: counted(backoffs.reduce((sum, span) => sum + ((span.end ?? span.start) - span.start), 0)),
    cancelCause: summary?.cancel_cause ?? root?.cancel_cause ?? null,
    cancelRequestedAt: summary?.cancel_requested_at ?? timeOf(record?.cancel_requested_at),
    delivery: typeof delivery === "number" && delivery > 0 ? delivery : null,
  };
}

/**
 * The record knows of waiting and of a cancel that has not reached the run yet; what this process sees itself is
 * the newer of the two for the rest.
 */
function statusOf(summary: RunSummary | undefined, record: RunRecord | null, root: Span | null): string {
  if (summary?.state === "ended") return runStatus(summary);
  if (record && record.state !== "running" && record.state !== "queued")
    return record.outcome ?? record.state;
  if (summary) return runStatus(summary);
  if (record) return record.state;
  if (root === null) return "unknown";
  return root.end === null ? "running" : (root.outcome ?? "ended");
}

function timeOf(text: string | undefined): number | null {
  return text === undefined ? null : parseTime(text);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** What the span of an ended run says of its answer. */
function countsOfSpan({ attributes }: Span): { tasks: TaskCounts; attempts: number } | null {
  const attempts = attributes[ATTEMPTS];
  if (typeof attempts !== "number") return null;
  const count = (name: string): number => Number(attributes[TASKS + name] ?? 0);
  const [succeeded, failed] = [count("succeeded"), count("failed")];
  const [timed_out, cancelled] = [count("timed_out"), count("cancelled")];
  return { tasks: { running: 0, succeeded, failed, timed_out, cancelled }, attempts };
}
