import { useState } from "react";
import { errorText } from "../api/client";
import { listRuns } from "../api/runs";
import { engineQuery, filterPath, type Filters, traceIdOf } from "./filters";
import { rowOfRecord, type RunRowData } from "./row";

/** Older rows that the page keeps. */
export const MAX_OLDER = 500;

interface Older {
  readonly key: string;
  readonly rows: readonly RunRowData[];
  readonly cursor: string | null;
  readonly begun: boolean;
  readonly error: string | null;
}

export interface OlderRuns {
  readonly rows: readonly RunRowData[];
  readonly error: string | null;
  readonly loading: boolean;
  /** Whether there may be more. */
  readonly more: boolean;
  readonly load: () => void;
}

/** Background runs that the engine remembers, page by page: those of other processes and of earlier ones too. */
export function useOlderRuns(filters: Filters): OlderRuns {
  const key = filterPath({ ...filters, text: traceIdOf(filters.text) ?? "", retried: false });
  const [older, setOlder] = useState<Older>(() => nothing(key));
  const [loading, setLoading] = useState(false);
  const current = older.key === key ? older : nothing(key);

  const load = async (): Promise<void> => {
    if (loading) return;
    setLoading(true);
    try {
      const query = engineQuery(filters);
      const page = await listRuns(current.cursor === null ? query : { ...query, cursor: current.cursor });
      const rows = [...current.rows, ...page.runs.map(rowOfRecord)].slice(0, MAX_OLDER);
      const cursor = rows.length < MAX_OLDER ? page.cursor : null;
      setOlder({ key, rows, cursor, begun: true, error: null });
    } catch (error) {
      setOlder({ ...current, error: errorText(error) });
    }
    setLoading(false);
  };

  return {
    rows: current.rows,
    error: current.error,
    loading,
    more: !current.begun || current.cursor !== null,
    load: () => void load(),
  };
}

const nothing = (key: string): Older => ({ key, rows: [], cursor: null, begun: false, error: null });
