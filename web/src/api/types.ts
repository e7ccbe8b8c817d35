/** What the service's JSON says, by the page's names: `schema.ts` has it from the OpenAPI document. */

import type * as schema from "./schema";

export type { CancelCause, CleanupOutcome, GiveUpReason, Outcome } from "./schema";

/** As it is received: nobody changes it, and a member that does not apply is left out, never null. */
type Received<T> = T extends object
  ? { readonly [K in keyof T]: undefined extends T[K] ? Exclude<Received<T[K]>, null> : Received<T[K]> }
  : T;

export type TaskCounts = Received<schema.TaskCounts>;
export type RunError = Received<schema.ErrorInfo>;
export type RunSummary = Received<schema.RunSummary>;

export type Span = Received<schema.Span>;
export type SpanLink = Received<schema.SpanLink>;
export type TraceDocument = Received<schema.TraceDocument>;

export type AlertState = Received<schema.AlertState>;
export type AlertPeriod = Received<schema.AlertPeriod>;
export type AlertsDocument = Received<schema.AlertsDocument>;
/** An alert that Alertmanager delivered. */
export type Notification = Received<schema.RememberedAlert>;

export type Traffic = Received<schema.Traffic>;
export type Links = Received<schema.Links>;
export type Snapshot = Received<schema.Snapshot>;
/** Events of `GET /console/stream`, by name, but for the two that are about the stream itself. */
export type StreamEvents = Received<Omit<schema.StreamEvents, "hello" | "resync">>;

export type ChartData = Received<schema.ChartData>;
export type Series = Received<schema.Series>;
export type SeriesColor = Series["color"];
export type Unit = ChartData["unit"];
export type Points = Series["points"][string];
export type Resolution = Received<schema.Resolution>;
export type History = Received<schema.History>;

export type Workflow = Omit<Received<schema.Workflow>, "schema"> & { readonly schema: JsonSchema };

/** The part of JSON Schema that workflows use: by hand, as the document only says that it is one. */
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
export type RunInput = Pick<Received<schema.InlineRun>, "workflow" | "params">;

/** What the page reads of a run's answer, all of which is shown as it is. */
export interface RunResult {
  readonly counts?: Required<Received<schema.Counts>>;
  readonly tasks?: readonly Pick<Received<schema.TaskResult>, "attempts" | "error">[];
}

/** What came out of a run that has ended. */
export interface RunAnswer extends Omit<Received<schema.InlineRun>, keyof RunInput | "result"> {
  readonly result?: RunResult;
}

export type InlineRun = RunInput & RunAnswer;

/** A background run, as `GET /runs` has it: at any process that shares the engine. Times are ISO 8601. */
export type RunRecord = Received<Omit<schema.RunRecord, "result" | "error">> &
  Pick<RunAnswer, "result" | "error">;
/** By hand: the document has no name for it. */
export interface RunPage {
  readonly runs: readonly RunRecord[];
  readonly cursor: string | null;
}
