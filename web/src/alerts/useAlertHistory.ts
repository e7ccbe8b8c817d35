import { useEffect, useState } from "react";
import { apiGet, errorText } from "../api/client";
import type { AlertPeriod, AlertsDocument } from "../api/types";
import { useAlerts, useConnection } from "../store";

export interface AlertHistory {
  readonly periods: readonly AlertPeriod[];
  readonly error: string | null;
}

/** When which alert fired; read anew when one begins or ends. */
export function useAlertHistory(): AlertHistory {
  const alerts = useAlerts();
  const connection = useConnection();
  const [history, setHistory] = useState<AlertHistory>({ periods: [], error: null });
  const firing = alerts
    .filter(({ state }) => state === "firing")
    .map(({ alert, labels, since }) => JSON.stringify([alert, labels, since]))
    .sort()
    .join();
  useEffect(() => {
    const abort = new AbortController();
    apiGet<AlertsDocument>("/console/alerts", abort.signal).then(
      (document) => setHistory({ periods: document.history, error: null }),
      (error: unknown) => {
        if (!abort.signal.aborted) setHistory((before) => ({ ...before, error: errorText(error) }));
      },
    );
    return () => abort.abort();
  }, [firing, connection]);
  return history;
}
