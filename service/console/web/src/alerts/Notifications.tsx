import { useEffect, useState } from "react";
import { apiGet, errorText } from "../api/client";
import type { Notification } from "../api/types";
import { formatTime, parseTime } from "../format";
import { useConnection } from "../store";
import { ErrorNote, Panel, StatusChip } from "../ui";
import { labelTexts } from "./text";

const REFRESH_MS = 10_000;

/** What Alertmanager has delivered to this process. */
export function Notifications() {
  const { notifications, error } = useNotifications();
  return (
    <Panel title="Delivered by Alertmanager">
      <ErrorNote message={error} />
      {notifications !== null && notifications.length === 0 && (
        <p className="dim">
          Nothing was delivered. Alertmanager has to post to <code>/alerts</code> of this service.
        </p>
      )}
      <ul className="alert-list" aria-label="Delivered by Alertmanager">
        {notifications?.map((each) => (
          <li key={`${each.fingerprint} ${each.starts_at}`} className="alert-period">
            <StatusChip status={each.status} />
            <strong>{each.labels.alertname ?? "(no name)"}</strong>
            <span className="dim">
              {[each.labels.severity, ...labelTexts(each.labels)].filter(Boolean).join(" · ")}
            </span>
            <span>
              {formatTime(parseTime(each.starts_at))} to{" "}
              {each.ends_at === null
                ? each.status === "firing"
                  ? "now"
                  : "an unknown time"
                : formatTime(parseTime(each.ends_at))}
            </span>
            <span className="alert-summary">{each.annotations.summary ?? each.annotations.description}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

interface State {
  readonly notifications: readonly Notification[] | null;
  readonly error: string | null;
}

function useNotifications(): State {
  const [state, setState] = useState<State>({ notifications: null, error: null });
  const connection = useConnection();
  useEffect(() => {
    const abort = new AbortController();
    const load = (): void => {
      if (document.hidden) return;
      apiGet<{ alerts: readonly Notification[] }>("/alerts?limit=100", abort.signal).then(
        ({ alerts }) => setState({ notifications: alerts, error: null }),
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
