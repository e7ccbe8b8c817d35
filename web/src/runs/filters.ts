/** The filters of the list of runs, which are in the address. */

import { NAMES } from "../api/schema";
import type { RunRowData } from "./row";
import { boundOf } from "./range";
import { hasFailures } from "./tasks";

const TRACE_ID = /^[0-9a-f]{32}$/;

export interface Filters {
  readonly text: string;
  /** A state or an outcome; empty: any. */
  readonly status: string;
  readonly workflow: string;
  readonly retried: boolean;
  /** `some`: the run failed, or a task in it; `none`: it has ended without. */
  readonly failures: string;
  /** Type of an error of the run, or of one in it. */
  readonly error: string;
  /** When it started: a length of time until now (`15m`), or a time as ISO 8601. */
  readonly since: string;
  readonly until: string;
}

export const STATUSES: readonly string[] = ["running", "cancelling", ...NAMES.Outcome];

export const FAILURES: readonly string[] = ["some", "none"];

export const NO_FILTERS: Filters = {
  text: "",
  status: "",
  workflow: "",
  retried: false,
  failures: "",
  error: "",
  since: "",
  until: "",
};

export function readFilters(search: string): Filters {
  const query = new URLSearchParams(search);
  return {
    text: query.get("q") ?? "",
    status: query.get("status") ?? "",
    workflow: query.get("workflow") ?? "",
    retried: query.get("retried") === "1",
    failures: query.get("failures") ?? "",
    error: query.get("error") ?? "",
    since: query.get("since") ?? "",
    until: query.get("until") ?? "",
  };
}

export function filterPath({ text, status, workflow, retried, ...others }: Filters): string {
  const query = new URLSearchParams();
  if (text !== "") query.set("q", text);
  if (status !== "") query.set("status", status);
  if (workflow !== "") query.set("workflow", workflow);
  if (retried) query.set("retried", "1");
  for (const name of ["failures", "error", "since", "until"] as const) {
    if (others[name] !== "") query.set(name, others[name]);
  }
  return query.size === 0 ? "/runs" : `/runs?${query}`;
}

/** Every word must be somewhere in the row: in its ids, workflow, status, kind, cause or error. */
export function matches(row: RunRowData, filters: Filters): boolean {
  if (filters.status !== "" && row.status !== filters.status) return false;
  if (filters.workflow !== "" && row.workflow !== filters.workflow) return false;
  if (filters.retried && (row.counts?.retries ?? 0) === 0) return false;
  if (filters.failures !== "" && failuresOf(row) !== filters.failures) return false;
  if (filters.error !== "" && !row.errorTypes.includes(filters.error)) return false;
  if (row.startedAt < (boundOf(filters.since) ?? -Infinity)) return false;
  if (row.startedAt > (boundOf(filters.until) ?? Infinity)) return false;
  if (filters.text === "") return true;
  return filters.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => row.text.includes(word));
}

/** Nobody knows it of a run that goes on, and in which nothing has failed yet. */
function failuresOf({ state, status, tasks }: RunRowData): string | null {
  if (hasFailures(status, tasks)) return "some";
  return state === "ended" ? "none" : null;
}

/** The id of a trace, if that is what is searched for. */
export function traceIdOf(text: string): string | null {
  const id = text.trim().toLowerCase();
  return TRACE_ID.test(id) ? id : null;
}

/** The query of `GET /runs` for the same, as far as the service can filter. */
export function engineQuery({ status, workflow, ...filters }: Filters): Record<string, string> {
  const query: Record<string, string> = { limit: "50" };
  if (FAILURES.includes(filters.failures)) query.failures = filters.failures;
  if (filters.error !== "") query.error_type = filters.error;
  const traceId = traceIdOf(filters.text);
  if (traceId !== null) query.trace_id = traceId;
  for (const name of ["since", "until"] as const) {
    const bound = boundOf(filters[name]);
    if (bound !== null) query[name] = new Date(bound * 1000).toISOString();
  }
  if (workflow !== "") query.workflow = workflow;
  if (status === "running" || status === "cancelling") query.state = status;
  else if (status !== "") query.outcome = status;
  return query;
}
