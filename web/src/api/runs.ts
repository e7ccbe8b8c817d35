import { apiGet, apiPost } from "./client";
import type { InlineRun, RunPage, RunRecord } from "./types";

export const startRun = (workflow: string, params: unknown): Promise<RunRecord> =>
  apiPost(`/workflows/${encodeURIComponent(workflow)}/runs`, params);

/** Ask for a background run to be cancelled; a run that has ended answers 409. */
export const cancelRun = (id: string): Promise<RunRecord> =>
  apiPost(`/runs/${encodeURIComponent(id)}/cancel`);

export const readRun = (id: string, signal?: AbortSignal): Promise<RunRecord> =>
  apiGet(`/runs/${encodeURIComponent(id)}`, signal);

/** An inline run; 404 once the service has forgotten it. */
export const readInlineRun = (id: string, signal?: AbortSignal): Promise<InlineRun> =>
  apiGet(`/console/runs/${encodeURIComponent(id)}`, signal);

export const listRuns = (query: Record<string, string>, signal?: AbortSignal): Promise<RunPage> =>
  apiGet(`/runs?${new URLSearchParams(query)}`, signal);
