/* Made from the service's OpenAPI document by `make generate`: change that, not this. */

/**
 * Who asked for a cancellation.
 */
export type CancelCause = "request" | "client_disconnect" | "sibling" | "deadline" | "shutdown";
/**
 * How a cleanup ended.
 */
export type CleanupOutcome = "completed" | "failed" | "timed_out";
/**
 * The outcomes that are failures.
 */
export type FailedOutcome = "error" | "timeout" | "exhausted";
/**
 * Those of them that are failures.
 */
export type FailedRunState = "failed" | "lost";
/**
 * The states that a background run stays in.
 */
export type FinalRunState = "succeeded" | "failed" | "cancelled" | "lost";
/**
 * Why a retry stopped trying.
 */
export type GiveUpReason = "max_attempts" | "deadline" | "budget" | "non_retryable";
/**
 * How an operation or a run ended.
 */
export type Outcome = "success" | "error" | "timeout" | "exhausted" | "cancelled";
/**
 * How far a background run is.
 */
export type RunState = "queued" | "running" | "cancelling" | "succeeded" | "failed" | "cancelled" | "lost";
/**
 * The primitive that made a span, a request's server span, or anybody else's.
 */
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

export interface Schemas {
  Alert: Alert;
  AlertPeriod: AlertPeriod;
  AlertState: AlertState;
  AlertsDocument: AlertsDocument;
  CancelCause: CancelCause;
  CancellationParams: CancellationParams;
  ChartData: ChartData;
  ChartThreshold: ChartThreshold;
  CheckoutParams: CheckoutParams;
  CleanupOutcome: CleanupOutcome;
  ConcurrentParams: ConcurrentParams;
  Counts: Counts;
  ErrorInfo: ErrorInfo;
  FailedOutcome: FailedOutcome;
  FailedRunState: FailedRunState;
  FileParams: FileParams;
  FinalRunState: FinalRunState;
  GiveUpReason: GiveUpReason;
  HelloEvent: HelloEvent;
  History: History;
  HttpParams: HttpParams;
  InlineRun: InlineRun;
  LimitedOperation: LimitedOperation;
  Links: Links;
  MetricsEvent: MetricsEvent;
  Notification: Notification;
  Outcome: Outcome;
  Problem: Problem;
  RememberedAlert: RememberedAlert;
  Resolution: Resolution;
  RetryParams: RetryParams;
  RunRecord: RunRecord;
  RunResult: RunResult;
  RunState: RunState;
  RunSummary: RunSummary;
  ScenarioOffer: ScenarioOffer;
  SequentialParams: SequentialParams;
  Series: Series;
  Snapshot: Snapshot;
  Span: Span;
  SpanEvent: SpanEvent;
  SpanKind: SpanKind;
  SpanLink: SpanLink;
  SpansEvent: SpansEvent;
  SqlParams: SqlParams;
  StreamEvents: StreamEvents;
  TaskCounts: TaskCounts;
  TaskResult: TaskResult;
  TimeoutsParams: TimeoutsParams;
  TraceDocument: TraceDocument;
  Traffic: Traffic;
  TrafficParams: TrafficParams;
  Workflow: Workflow;
  WorkflowList: WorkflowList;
}
/**
 * One alert as it is now.
 */
export interface Alert {
  /**
   * Whether it fires.
   */
  status: "firing" | "resolved";
  /**
   * What identifies it.
   */
  labels: {
    [k: string]: string;
  };
  /**
   * What explains it.
   */
  annotations?: {
    [k: string]: string;
  };
  /**
   * When it began to fire.
   */
  startsAt: string;
  /**
   * When it was resolved; the year 1 while it fires.
   */
  endsAt: string;
  /**
   * Its expression in Prometheus.
   */
  generatorURL?: string;
  /**
   * The same for the same labels.
   */
  fingerprint: string;
}
/**
 * From when to when an alert fired; without an end it still does.
 */
export interface AlertPeriod {
  alert: string;
  labels: {
    [k: string]: string;
  };
  severity: string;
  from: number;
  to: number | null;
}
/**
 * An alert that this process evaluates by itself.
 */
export interface AlertState {
  alert: string;
  severity: string;
  state: "inactive" | "pending" | "firing";
  since: number | null;
  labels: {
    [k: string]: string;
  };
  value: number | null;
  threshold: number;
  /**
   * Why it is inactive though the value is above the threshold.
   */
  lacks: string | null;
  unit: "1/s" | "s" | "ratio" | "count";
  summary: string;
  description: string;
  runbook_url: string;
  promql: string;
  for_seconds: number;
  window: string | null;
  /**
   * Whether the history is at least as long as the window.
   */
  covered: boolean;
}
/**
 * The alerts now, and those that fired.
 */
export interface AlertsDocument {
  rules: AlertState[];
  history: AlertPeriod[];
}
/**
 * Tasks of 3, 5 and 2 seconds; after 2.5 seconds the rest is cancelled.
 */
export interface CancellationParams {
  /**
   * The same seed gives the same outcome; by default a new one.
   */
  seed?: number | null;
  /**
   * Factor on every duration: 0.01 makes a demo 100 times shorter.
   */
  time_scale?: number;
  /**
   * What performs the tasks.
   */
  operation?: "simulated" | "http" | "sql" | "file";
  /**
   * Where a request over HTTP performs them.
   */
  http?: HttpParams | null;
  /**
   * Where a database performs them.
   */
  sql?: SqlParams | null;
  /**
   * Where the parser of a file performs them.
   */
  file?: FileParams | null;
  /**
   * Seconds that each task takes.
   *
   * @minItems 1
   * @maxItems 100
   */
  durations?: number[];
  /**
   * Seconds after which the tasks still running are cancelled.
   */
  cancel_after?: number;
  /**
   * Seconds that the cleanup of a cancelled task takes; cut off at 5.
   */
  cleanup?: number;
}
/**
 * Parameters of the operation `http`.
 */
export interface HttpParams {
  /**
   * What is called, by GET, of the hosts that RETRYSCOPE_HTTP_ALLOWED_HOSTS names. By default the bundled upstream, which takes as long, and fails as often, as the workflow says; elsewhere neither applies.
   */
  url?: string | null;
  /**
   * Longest wait for a connection, in real time, whatever the time scale.
   */
  connect_seconds?: number;
  /**
   * Longest silence of the server, in real time; the bundled upstream may take the task's time besides.
   */
  read_seconds?: number;
  /**
   * Longest body of an answer that is read.
   */
  max_body_bytes?: number;
}
/**
 * A query that goes through rows slowly.
 */
export interface SqlParams {
  /**
   * Rows that the query goes through in the task's time.
   */
  rows?: number;
}
/**
 * A file of orders, read as from a slow disk.
 */
export interface FileParams {
  /**
   * Rows that are parsed in the task's time.
   */
  rows?: number;
  /**
   * Seconds that a cancelled task waits for its thread; then that is abandoned.
   */
  stop_seconds?: number;
  /**
   * The parser does not look whether it is to stop: a thread can't be cancelled.
   */
  deaf?: boolean;
}
/**
 * A chart with its values.
 */
export interface ChartData {
  id: string;
  title: string;
  unit: "1/s" | "s" | "ratio" | "count";
  description: string;
  promql: string;
  traceql: string | null;
  threshold: ChartThreshold | null;
  series: Series[];
}
/**
 * A line where an alert fires.
 */
export interface ChartThreshold {
  value: number;
  label: string;
}
/**
 * One line of a chart.
 */
export interface Series {
  key: string;
  label: string;
  color: "success" | "error" | "timeout" | "exhausted" | "cancelled" | "backoff" | "neutral";
  /**
   * By resolution: the step in seconds.
   */
  points: {
    [k: string]: (number | null)[];
  };
}
/**
 * One order: price and stock at once, then the payment, then the order is settled.
 */
export interface CheckoutParams {
  /**
   * The same seed gives the same outcome; by default a new one.
   */
  seed?: number | null;
  /**
   * Factor on every duration: 0.01 makes a demo 100 times shorter.
   */
  time_scale?: number;
  /**
   * What is ordered.
   */
  sku?: "book" | "chair" | "lamp";
  /**
   * How many.
   */
  quantity?: number;
  /**
   * Seconds that each call of the shop takes.
   */
  duration?: number;
  /**
   * Attempts of each call and query.
   */
  max_attempts?: number;
  /**
   * Seconds before the second attempt; then twice as many.
   */
  base_delay?: number;
  /**
   * Seconds that each attempt may take.
   */
  attempt_timeout?: number;
  /**
   * Seconds until the order has to be settled.
   */
  deadline?: number;
  /**
   * Seconds that a compensation may take.
   */
  compensation?: number;
  /**
   * Retry payments only while the budget lasts that all calls over HTTP share.
   */
  budget?: boolean;
}
/**
 * Ten tasks of half a second at once, of which 30 % fail.
 */
export interface ConcurrentParams {
  /**
   * The same seed gives the same outcome; by default a new one.
   */
  seed?: number | null;
  /**
   * Factor on every duration: 0.01 makes a demo 100 times shorter.
   */
  time_scale?: number;
  /**
   * What performs the tasks.
   */
  operation?: "simulated" | "http" | "sql" | "file";
  /**
   * Where a request over HTTP performs them.
   */
  http?: HttpParams | null;
  /**
   * Where a database performs them.
   */
  sql?: SqlParams | null;
  /**
   * Where the parser of a file performs them.
   */
  file?: FileParams | null;
  /**
   * How many tasks run at once.
   */
  tasks?: number;
  /**
   * Seconds that each task takes.
   */
  duration?: number;
  /**
   * Probability that a task fails.
   */
  failure_rate?: number;
}
/**
 * How many tasks ended how.
 */
export interface Counts {
  succeeded?: number;
  /**
   * Errors and exhausted retries.
   */
  failed?: number;
  timed_out?: number;
  cancelled?: number;
}
/**
 * Why a task failed.
 */
export interface ErrorInfo {
  /**
   * Class of the exception, or timeout.
   */
  type: string;
  message: string;
}
/**
 * The first event: changes from here on are told.
 */
export interface HelloEvent {
  boot_id: string;
  seq: number;
}
/**
 * The charts of the last three hours.
 */
export interface History {
  time: number;
  resolutions: Resolution[];
  charts: ChartData[];
}
/**
 * How far apart the values of a series are.
 */
export interface Resolution {
  step: number;
  /**
   * Time of the first point.
   */
  start: number;
  length: number;
}
/**
 * What an inline run was started with, and what it answered.
 */
export interface InlineRun {
  workflow: string;
  params: {
    [k: string]: unknown;
  };
  result?: RunResult | null;
  error?: ErrorInfo | null;
  /**
   * Where the result has not all of its tasks: how many there were.
   */
  total_tasks?: number | null;
}
/**
 * The answer of a workflow.
 */
export interface RunResult {
  workflow: string;
  /**
   * Of the workflow as a whole; it may succeed though tasks failed.
   */
  outcome: "success" | "error" | "timeout" | "exhausted" | "cancelled";
  /**
   * Its trace, at /traces/{trace_id}; null if tracing is off.
   */
  trace_id: string | null;
  duration_seconds: number;
  counts: Counts;
  tasks: TaskResult[];
}
/**
 * What became of one task: a value, or an error.
 */
export interface TaskResult {
  name: string;
  outcome: "success" | "error" | "timeout" | "exhausted" | "cancelled";
  /**
   * What the task returned; only after success.
   */
  value?: {
    [k: string]: unknown;
  };
  /**
   * Why it failed; only after a failure.
   */
  error?: ErrorInfo | null;
  attempts: number;
  /**
   * Seconds waited between attempts.
   */
  backoff_seconds: number;
  /**
   * Seconds of cleanup after a cancellation.
   */
  cleanup_seconds: number;
}
/**
 * One operation and its limit.
 */
export interface LimitedOperation {
  /**
   * Database Query, API Call and File Processing are counted by name, others as _OTHER.
   */
  name: string;
  /**
   * Seconds that the operation takes.
   */
  duration?: number;
  /**
   * Seconds that it may take.
   */
  timeout: number;
  /**
   * What performs it; by default what performs all of them.
   */
  operation?: ("simulated" | "http" | "sql" | "file") | null;
}
/**
 * Addresses of other user interfaces.
 */
export interface Links {
  grafana: string | null;
  prometheus: string | null;
}
/**
 * The charts' values of one second, by the series' keys.
 */
export interface MetricsEvent {
  /**
   * The second that the values are of.
   */
  time: number;
  now: number;
  values: {
    [k: string]: number | null;
  };
}
/**
 * A group all of whose alerts are as they should be: what Alertmanager is to send.
 */
export interface Notification {
  /**
   * Version of the webhook's format.
   */
  version: "4";
  /**
   * firing while any of the alerts fires.
   */
  status: "firing" | "resolved";
  /**
   * Name of the receiver in Alertmanager's configuration.
   */
  receiver: string;
  /**
   * What Alertmanager wants to tell of.
   *
   * @maxItems 1000
   */
  alerts: Alert[];
  /**
   * Alerts that it left out, because of max_alerts of the receiver.
   */
  truncatedAlerts?: number;
}
/**
 * RFC 9457. A run that failed carries the members of RunResult as well.
 */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  errors?: {
    field: string;
    value?: unknown;
    bound?: string;
    message: string;
  }[];
}
/**
 * One occurrence of an alert: from the time it began to fire until it was resolved.
 */
export interface RememberedAlert {
  status: "firing" | "resolved";
  labels: {
    [k: string]: string;
  };
  annotations: {
    [k: string]: string;
  };
  starts_at: string;
  /**
   * null while it fires, and where its end was never delivered.
   */
  ends_at: string | null;
  /**
   * When it was last heard of.
   */
  received_at: string;
  /**
   * The same for every occurrence of an alert.
   */
  fingerprint: string;
  generator_url: string;
  /**
   * Whether it was too long, and some of its texts are cut or missing.
   */
  cut?: boolean;
}
/**
 * A call of 0.2 seconds that fails with 60 %; four retries after 0.5, 1, 2 and 4 seconds.
 */
export interface RetryParams {
  /**
   * The same seed gives the same outcome; by default a new one.
   */
  seed?: number | null;
  /**
   * Factor on every duration: 0.01 makes a demo 100 times shorter.
   */
  time_scale?: number;
  /**
   * What performs the tasks.
   */
  operation?: "simulated" | "http" | "sql" | "file";
  /**
   * Where a request over HTTP performs them.
   */
  http?: HttpParams | null;
  /**
   * Where a database performs them.
   */
  sql?: SqlParams | null;
  /**
   * Where the parser of a file performs them.
   */
  file?: FileParams | null;
  /**
   * Seconds that each attempt takes.
   */
  duration?: number;
  /**
   * Probability that an attempt fails.
   */
  failure_rate?: number;
  /**
   * Attempts after the first one.
   */
  max_retries?: number;
  /**
   * Seconds before the first retry.
   */
  base_delay?: number;
  /**
   * Growth of the delay from retry to retry.
   */
  backoff_factor?: number;
  /**
   * Most seconds between two attempts.
   */
  max_delay?: number;
  /**
   * none, as in the document, or full: a random part of the delay.
   */
  jitter?: "full" | "none";
  /**
   * Seconds that each attempt may take; by default no limit.
   */
  attempt_timeout?: number | null;
  /**
   * Seconds that the whole workflow may take; by default no limit.
   */
  deadline?: number | null;
  /**
   * Retry only while the budget lasts that all such runs of a process share: ten retries, and one more for every ten successes.
   */
  budget?: boolean;
}
/**
 * A background run. Times are seconds since the epoch inside, ISO 8601 outside.
 */
export interface RunRecord {
  id: string;
  workflow: string;
  /**
   * All of them, and a seed drawn if none was sent: sent again, they repeat the run.
   */
  params: {
    [k: string]: unknown;
  };
  state: "queued" | "running" | "cancelling" | "succeeded" | "failed" | "cancelled" | "lost";
  /**
   * Of the workflow; only when it has ended.
   */
  outcome?: ("success" | "error" | "timeout" | "exhausted" | "cancelled") | null;
  submitted_at: string;
  /**
   * Of the first delivery.
   */
  started_at?: string | null;
  /**
   * Of the last delivery.
   */
  delivered_at?: string | null;
  cancel_requested_at?: string | null;
  ended_at?: string | null;
  /**
   * From the submission to the first delivery.
   */
  queue_wait_seconds?: number | null;
  /**
   * Worker of the last delivery.
   */
  worker?: string | null;
  /**
   * Deliveries so far; more than one after a crash or a shutdown.
   */
  delivery?: number;
  /**
   * How often a shutdown gave the run back to the engine.
   */
  handed_back?: number;
  trace_id?: string | null;
  /**
   * Cleanups of cancelled tasks by how they ended: completed, failed, timed_out.
   */
  cleanups?: {
    [k: string]: number;
  } | null;
  /**
   * As an inline run answers.
   */
  result?: {
    [k: string]: unknown;
  } | null;
  error?: {
    [k: string]: string;
  } | null;
}
/**
 * A run of this process, inline or in the background.
 */
export interface RunSummary {
  id: string;
  kind: "background" | "inline";
  workflow: string;
  trace_id: string;
  span_id: string;
  state: "running" | "cancelling" | "ended";
  outcome: ("success" | "error" | "timeout" | "exhausted" | "cancelled") | null;
  started_at: number;
  ended_at: number | null;
  attempts: number;
  retries: number;
  /**
   * Attempts that failed.
   */
  failures: number;
  cancel_cause: string | null;
  cancel_requested_at: number | null;
  tasks: TaskCounts;
  /**
   * Of the run, or else of the last operation in it that failed.
   */
  error: ErrorInfo | null;
  error_types: string[];
}
/**
 * Tasks of a run by how they ended; while it runs they are its operations.
 */
export interface TaskCounts {
  running: number;
  succeeded: number;
  failed: number;
  timed_out: number;
  cancelled: number;
}
/**
 * What the traffic switch can send.
 */
export interface ScenarioOffer {
  name: string;
  summary: string;
}
/**
 * Five tasks of half a second, of which 30 % fail.
 */
export interface SequentialParams {
  /**
   * The same seed gives the same outcome; by default a new one.
   */
  seed?: number | null;
  /**
   * Factor on every duration: 0.01 makes a demo 100 times shorter.
   */
  time_scale?: number;
  /**
   * What performs the tasks.
   */
  operation?: "simulated" | "http" | "sql" | "file";
  /**
   * Where a request over HTTP performs them.
   */
  http?: HttpParams | null;
  /**
   * Where a database performs them.
   */
  sql?: SqlParams | null;
  /**
   * Where the parser of a file performs them.
   */
  file?: FileParams | null;
  /**
   * How many tasks run.
   */
  tasks?: number;
  /**
   * Seconds that each task takes.
   */
  duration?: number;
  /**
   * Probability that a task fails.
   */
  failure_rate?: number;
}
/**
 * All that the stream tells the changes of.
 */
export interface Snapshot {
  boot_id: string;
  seq: number;
  time: number;
  version: string;
  runs: RunSummary[];
  alerts: AlertState[];
  traffic: Traffic;
  links: Links;
}
/**
 * The traffic switch, and what was sent since it was switched on last.
 */
export interface Traffic {
  on: boolean;
  scenario: string | null;
  rate: number | null;
  scenarios: ScenarioOffer[];
  max_rate: number;
  max_seconds: number;
  ends_at: number | null;
  sent: number;
  succeeded: number;
  failed: number;
  not_sent: number;
  p99_seconds: number | null;
}
/**
 * A span, also while it runs.
 */
export interface Span {
  id: string;
  parent: string | null;
  name: string;
  kind:
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
  operation: string | null;
  task: string | null;
  start: number;
  end: number | null;
  /**
   * null while it runs; of a cleanup: completed, failed or timed_out.
   */
  outcome: string | null;
  attempt: number | null;
  delay: number | null;
  max_attempts: number | null;
  /**
   * Attempts that an ended retry has made.
   */
  attempts: number | null;
  /**
   * Why an ended retry made no more.
   */
  giveup: string | null;
  /**
   * Seconds from the start on, of its own.
   */
  limit: number | null;
  /**
   * Seconds from the start on, of what is around it.
   */
  deadline: number | null;
  error: ErrorInfo | null;
  cancel_cause: string | null;
  attributes: {
    [k: string]: unknown;
  };
  events: SpanEvent[];
  links: SpanLink[];
}
/**
 * Something that happened at a moment of a span.
 */
export interface SpanEvent {
  time: number;
  name: string;
  attributes: {
    [k: string]: unknown;
  };
}
/**
 * Another span that has to do with this one.
 */
export interface SpanLink {
  trace_id: string;
  span_id: string;
  kind: string | null;
}
/**
 * Spans of a trace that have changed.
 */
export interface SpansEvent {
  trace_id: string;
  total: number;
  truncated: boolean;
  spans: Span[];
}
/**
 * The events of the stream, each with what its data is.
 */
export interface StreamEvents {
  hello: HelloEvent;
  /**
   * Some were dropped: load all anew.
   */
  resync: {
    [k: string]: null;
  };
  runs: RunSummary[];
  metrics: MetricsEvent;
  alerts: AlertState[];
  traffic: Traffic;
  spans: SpansEvent;
}
/**
 * Three operations of 3 seconds, with limits of 2.5, 1.5 and 4 seconds.
 */
export interface TimeoutsParams {
  /**
   * The same seed gives the same outcome; by default a new one.
   */
  seed?: number | null;
  /**
   * Factor on every duration: 0.01 makes a demo 100 times shorter.
   */
  time_scale?: number;
  /**
   * What performs the tasks.
   */
  operation?: "simulated" | "http" | "sql" | "file";
  /**
   * Where a request over HTTP performs them.
   */
  http?: HttpParams | null;
  /**
   * Where a database performs them.
   */
  sql?: SqlParams | null;
  /**
   * Where the parser of a file performs them.
   */
  file?: FileParams | null;
  /**
   * Operations, run one after the other.
   *
   * @minItems 1
   * @maxItems 100
   */
  operations?: LimitedOperation[];
}
/**
 * All spans of a trace that are kept.
 */
export interface TraceDocument {
  trace_id: string;
  total: number;
  truncated: boolean;
  spans: Span[];
  seq: number;
}
/**
 * What the traffic switch is set to.
 */
export interface TrafficParams {
  scenario?: "mixed" | "failures" | "caught-failures" | "retry-storm" | "timeouts" | "cancellations";
  /**
   * Requests a second.
   */
  rate?: number;
  duration_seconds?: number;
}
/**
 * What can be run.
 */
export interface Workflow {
  name: string;
  summary: string;
  href: string;
  defaults: {
    [k: string]: unknown;
  };
  /**
   * JSON Schema of its parameters.
   */
  schema: {
    [k: string]: unknown;
  };
}
/**
 * All that can be run.
 */
export interface WorkflowList {
  workflows: Workflow[];
}

/** The sets of names, for when the page runs. */
export const NAMES = {
  Outcome: ["success", "error", "timeout", "exhausted", "cancelled"],
  FailedOutcome: ["error", "timeout", "exhausted"],
  CleanupOutcome: ["completed", "failed", "timed_out"],
  CancelCause: ["request", "client_disconnect", "sibling", "deadline", "shutdown"],
  GiveUpReason: ["max_attempts", "deadline", "budget", "non_retryable"],
  RunState: ["queued", "running", "cancelling", "succeeded", "failed", "cancelled", "lost"],
  FinalRunState: ["succeeded", "failed", "cancelled", "lost"],
  FailedRunState: ["failed", "lost"],
  SpanKind: [
    "server",
    "workflow",
    "task",
    "retry",
    "attempt",
    "backoff",
    "timeout",
    "gather",
    "cleanup",
    "other",
  ],
} as const;
