import { formatTime } from "../format";
import { useAlerts, useVersion } from "../store";
import { ErrorNote, Panel, StatusChip } from "../ui";
import { AlertRule } from "./AlertRule";
import { Notifications } from "./Notifications";
import { alertName, labelTexts } from "./text";
import { useAlertHistory } from "./useAlertHistory";
import "./alerts.css";

const ORDER: Readonly<Record<string, number>> = { firing: 0, pending: 1, inactive: 2 };
const HISTORY_SHOWN = 100;

/** What is promised, whether it is kept, and when it was not. */
export function AlertsPage() {
  return (
    <>
      <h1>Alerts</h1>
      <Rules />
      <Past />
      <Notifications />
    </>
  );
}

function Rules() {
  const loaded = useVersion() !== null;
  const rules = [...useAlerts()].sort((one, other) => (ORDER[one.state] ?? 3) - (ORDER[other.state] ?? 3));
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
            <span>
              {formatTime(period.from)} to {period.to === null ? "now" : formatTime(period.to)}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
