import type { AlertState } from "../api/types";
import { formatTime } from "../format";
import { useAlerts, useVersion } from "../store";
import { ErrorNote, Panel, StatusChip } from "../ui";
import { AlertRule } from "./AlertRule";
import { AlertLinks } from "./AlertLinks";
import { Delivered } from "./Delivered";
import { alertName, labelTexts, standing } from "./text";
import { useAlertHistory } from "./useAlertHistory";
import { useNotifications } from "./useNotifications";
import "./alerts.css";

const ORDER: readonly string[] = ["firing", "pending", "above", "inactive"];
const HISTORY_SHOWN = 100;

/** What is promised, whether it is kept, and when it was not. */
export function AlertsPage() {
  const { firing, resolved, error } = useNotifications();
  return (
    <>
      <h1>Alerts</h1>
      <Panel title="Firing at Alertmanager">
        <p className="dim">
          Delivered to <code>/alerts</code> of this service: for all processes that Prometheus watches, and
          over the windows of the rules that it was given.
        </p>
        <ErrorNote message={error} />
        {firing?.length === 0 && <p className="dim">Nothing that fires was delivered.</p>}
        <Delivered label="Firing at Alertmanager" alerts={firing} />
      </Panel>
      <Rules />
      <Past />
      <Panel title="Resolved at Alertmanager">
        {resolved?.length === 0 && <p className="dim">Nothing that is resolved was delivered.</p>}
        <Delivered label="Resolved at Alertmanager" alerts={resolved} />
      </Panel>
    </>
  );
}

const place = (rule: AlertState): number => ORDER.indexOf(standing(rule));

function Rules() {
  const loaded = useVersion() !== null;
  const rules = [...useAlerts()].sort((one, other) => place(one) - place(other));
  return (
    <Panel title="Rules">
      <p className="dim">
        Evaluated in this process with the definition from which the rules of Prometheus are generated. “Not
        covered yet”: the window is longer than what this process remembers, so the value is of a shorter
        time.
      </p>
      {rules.length === 0 && <p className="dim">{loaded ? "There are no rules." : "Loading…"}</p>}
      <ul className="alert-list" aria-label="Rules">
        {rules.map((rule) => (
          <AlertRule key={`${alertName(rule)} ${rule.promql}`} rule={rule} />
        ))}
      </ul>
    </Panel>
  );
}

function Past() {
  const { periods, error } = useAlertHistory();
  const latest = [...periods].sort((one, other) => other.from - one.from).slice(0, HISTORY_SHOWN);
  return (
    <Panel title="History">
      <ErrorNote message={error} />
      {latest.length === 0 && <p className="dim">No alert has fired since the service was started.</p>}
      <ul className="alert-list" aria-label="History">
        {latest.map((period) => (
          <li key={`${alertName(period)} ${period.severity} ${period.from}`} className="alert-period">
            <StatusChip status={period.to === null ? "firing" : "resolved"} />
            <strong>{period.alert}</strong>
            <span className="dim">{[period.severity, ...labelTexts(period.labels)].join(" · ")}</span>
            <AlertLinks alert={period.alert} labels={period.labels} />
            <span>
              {formatTime(period.from)} to {period.to === null ? "now" : formatTime(period.to)}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
