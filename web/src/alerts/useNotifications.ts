import { useEffect, useState } from "react";
import { apiGet, errorText } from "../api/client";
import type { Notification } from "../api/types";
import { useConnection } from "../store";

const REFRESH_MS = 10_000;

export interface Notifications {
  /** null: not known yet. */
  readonly firing: readonly Notification[] | null;
  readonly resolved: readonly Notification[] | null;
  readonly error: string | null;
}

/** What Alertmanager has delivered; asked for apart, so that no number of resolved ones hides one that fires. */
export function useNotifications(): Notifications {
  const [state, setState] = useState<Notifications>({ firing: null, resolved: null, error: null });
  const connection = useConnection();
  useEffect(() => {
    const abort = new AbortController();
    const of = async (status: Notification["status"]): Promise<readonly Notification[]> =>
      (await apiGet<Delivery>(`/alerts?limit=100&status=${status}`, abort.signal)).alerts;
    const load = (): void => {
      if (document.hidden) return;
      Promise.all([of("firing"), of("resolved")]).then(
        ([firing, resolved]) => setState({ firing, resolved, error: null }),
        (error: unknown) => {
          if (!abort.signal.aborted) setState((before) => ({ ...before, error: errorText(error) }));
        },
      );
    };
    load();
    const timer = setInterval(load, REFRESH_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [connection]);
  return state;
}

interface Delivery {
  readonly alerts: readonly Notification[];
}
