/** What the service's JSON says. Times are seconds since the epoch, ids are hexadecimal. */

export type Outcome = "success" | "error" | "timeout" | "exhausted" | "cancelled";
export type RunState = "running" | "cancelling" | "ended";

/** Tasks of a run by how they ended; while it runs they are its operations. */
export interface TaskCounts {
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly timed_out: number;
  readonly cancelled: number;
}

export interface RunError {
  readonly type: string;
  readonly message: string;
}

export interface RunSummary {
  readonly id: string;
  readonly kind: "background" | "inline";
  readonly workflow: string;
  readonly trace_id: string;
  readonly span_id: string;
  readonly state: RunState;
  readonly outcome: Outcome | null;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly attempts: number;
  readonly retries: number;
  /** Attempts that failed. */
  readonly failures: number;
  readonly cancel_cause: string | null;
  readonly cancel_requested_at: number | null;
  readonly tasks: TaskCounts;
  /** Of the run, or else of the last operation in it that failed. */
  readonly error: RunError | null;
  readonly error_types: readonly string[];
}

export type SpanKind =
  | "server"
  | "workflow"
  | "task"
  | "retry"
  | "attempt"
  | "backoff"
  | "timeout"
  | "gather"
  | "cleanup"
  | "other";

export interface SpanEvent {
  readonly time: number;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface SpanLink {
  readonly trace_id: string;
  readonly span_id: string;
  readonly kind: string;
}

export interface Span {
  readonly id: string;
  readonly parent: string | null;
  readonly name: string;
  readonly kind: SpanKind;
  readonly operation: string | null;
  readonly task: string | null;
  readonly start: number;
  readonly end: number | null;
  /** null while it runs; of a cleanup: completed, failed or timed_out. */
  readonly outcome: string | null;
  readonly attempt: number | null;
  readonly delay: number | null;
  readonly max_attempts: number | null;
  /** Attempts that an ended retry has made, and why it made no more. */
  readonly attempts: number | null;
  readonly giveup: string | null;
  /** Seconds from the start on: of its own, and of what is around it. */
  readonly limit: number | null;
  readonly deadline: number | null;
  readonly error: RunError | null;
  readonly cancel_cause: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
}

export interface TraceDocument {
  readonly trace_id: string;
  readonly seq: number;
  readonly total: number;
  readonly truncated: boolean;
  readonly spans: readonly Span[];
}

export interface AlertState {
  readonly alert: string;
  readonly severity: string;
  readonly state: "inactive" | "pending" | "firing";
  readonly since: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | null;
  readonly threshold: number;
  /** Why it is inactive though the value is above the threshold. */
  readonly lacks: string | null;
  readonly unit: Unit;
  readonly summary: string;
  readonly description: string;
  readonly runbook_url: string;
  readonly promql: string;
  readonly for_seconds: number;
  readonly window: string | null;
  /** Whether the history is at least as long as the window. */
  readonly covered: boolean;
}

export interface AlertPeriod {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly severity: string;
  readonly from: number;
  readonly to: number | null;
}

export interface AlertsDocument {
  readonly rules: readonly AlertState[];
  readonly history: readonly AlertPeriod[];
}

/** An alert that Alertmanager delivered. */
export interface Notification {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly starts_at: string;
  readonly ends_at: string | null;
  readonly received_at: string;
  readonly fingerprint: string;
  readonly generator_url: string;
}

export interface Traffic {
  readonly on: boolean;
  readonly scenario: string | null;
  readonly rate: number | null;
  readonly scenarios: readonly { readonly name: string; readonly summary: string }[];
  readonly max_rate: number;
  readonly max_seconds: number;
  readonly ends_at: number | null;
  readonly sent: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly not_sent: number;
  readonly p99_seconds: number | null;
}

export interface Links {
  readonly grafana: string | null;
  readonly prometheus: string | null;
}

export interface Snapshot {
  readonly boot_id: string;
  readonly seq: number;
  readonly time: number;
  readonly version: string;
  readonly runs: readonly RunSummary[];
  readonly alerts: readonly AlertState[];
  readonly traffic: Traffic;
  readonly links: Links;
}

export type SeriesColor = Outcome | "backoff" | "neutral";
export type Unit = "1/s" | "s" | "ratio" | "count";
export type Points = readonly (number | null)[];

export interface Series {
  readonly key: string;
  readonly label: string;
  readonly color: SeriesColor;
  /** By resolution: the step in seconds. */
  readonly points: Readonly<Record<string, Points>>;
}

export interface ChartData {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly description: string;
  readonly promql: string;
  readonly traceql: string | null;
  readonly threshold: { readonly value: number; readonly label: string } | null;
  readonly series: readonly Series[];
}

export interface Resolution {
  readonly step: number;
  /** Time of the first point. */
  readonly start: number;
  readonly length: number;
}

export interface History {
  readonly time: number;
  readonly resolutions: readonly Resolution[];
  readonly charts: readonly ChartData[];
}

export interface Workflow {
  readonly name: string;
  readonly summary: string;
  readonly href: string;
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly schema: JsonSchema;
}

/** The part of JSON Schema that workflows use. */
export interface JsonSchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

/** What a run was started with. */
export interface RunInput {
  readonly workflow: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What came out of a run that has ended. */
export interface RunAnswer {
  readonly result?: RunResult;
  readonly error?: RunError;
  /** Where the result has not all of its tasks: how many there were. */
  readonly total_tasks?: number;
}

export type InlineRun = RunInput & RunAnswer;

/** A background run, as `GET /runs` has it: at any process that shares the engine. Times are ISO 8601. */
export interface RunRecord extends RunInput, RunAnswer {
  readonly id: string;
  readonly state: "queued" | "running" | "cancelling" | "succeeded" | "failed" | "cancelled" | "lost";
  readonly outcome?: Outcome;
  readonly submitted_at: string;
  readonly started_at?: string;
  readonly cancel_requested_at?: string;
  readonly ended_at?: string;
  readonly trace_id?: string;
  readonly queue_wait_seconds?: number;
  readonly worker?: string;
  /** Deliveries to a worker so far, and how many of them a shutdown gave back. */
  readonly delivery: number;
  readonly handed_back: number;
}

/** What a run answers, and more that is shown as it is. */
export interface RunResult {
  readonly counts?: Omit<TaskCounts, "running">;
  readonly tasks?: readonly { readonly attempts: number; readonly error?: RunError }[];
}

export interface RunPage {
  readonly runs: readonly RunRecord[];
  readonly cursor: string | null;
}

/** Events of `GET /console/stream`, by name. */
export interface StreamEvents {
  runs: readonly RunSummary[];
  metrics: {
    /** The second that the values are of. */
    readonly time: number;
    readonly now: number;
    readonly values: Readonly<Record<string, number | null>>;
  };
  alerts: readonly AlertState[];
  traffic: Traffic;
  spans: {
    readonly trace_id: string;
    readonly spans: readonly Span[];
    readonly total: number;
    readonly truncated: boolean;
  };
}
