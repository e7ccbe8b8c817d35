/** The filters of the list of runs, which are in the address. */

import type { RunRowData } from "./row";

export interface Filters {
  readonly text: string;
  /** A state or an outcome; empty: any. */
  readonly status: string;
  readonly workflow: string;
  readonly retried: boolean;
}

export const STATUSES: readonly string[] = [
  "running",
  "cancelling",
  "success",
  "error",
  "timeout",
  "exhausted",
  "cancelled",
];

export function readFilters(search: string): Filters {
  const query = new URLSearchParams(search);
  return {
    text: query.get("q") ?? "",
    status: query.get("status") ?? "",
    workflow: query.get("workflow") ?? "",
    retried: query.get("retried") === "1",
  };
}

export function filterPath({ text, status, workflow, retried }: Filters): string {
  const query = new URLSearchParams();
  if (text !== "") query.set("q", text);
  if (status !== "") query.set("status", status);
  if (workflow !== "") query.set("workflow", workflow);
  if (retried) query.set("retried", "1");
  return query.size === 0 ? "/runs" : `/runs?${query}`;
}

/** Every word must be somewhere in the row: in its id, workflow, status, kind or cause. */
export function matches(row: RunRowData, filters: Filters): boolean {
  if (filters.status !== "" && row.status !== filters.status) return false;
  if (filters.workflow !== "" && row.workflow !== filters.workflow) return false;
  if (filters.retried && (row.counts?.retries ?? 0) === 0) return false;
  if (filters.text === "") return true;
  return filters.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => row.text.includes(word));
}

/** The query of `GET /runs` for the same, as far as the service can filter. */
export function engineQuery({ status, workflow }: Filters): Record<string, string> {
  const query: Record<string, string> = { limit: "50" };
  if (workflow !== "") query.workflow = workflow;
  if (status === "running" || status === "cancelling") query.state = status;
  else if (status !== "") query.outcome = status;
  return query;
}
