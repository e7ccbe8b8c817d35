import type { Notification } from "../api/types";
import { formatTime, parseTime } from "../format";
import { StatusChip } from "../ui";
import { AlertLinks } from "./AlertLinks";
import { labelTexts } from "./text";

interface Props {
  readonly label: string;
  /** null: not known yet. */
  readonly alerts: readonly Notification[] | null;
}

/** What Alertmanager has delivered to this process. */
export function Delivered({ label, alerts }: Props) {
  return (
    <ul className="alert-list" aria-label={label}>
      {alerts?.map((each) => (
        <li key={`${each.fingerprint} ${each.starts_at}`} className="alert-period" data-state={each.status}>
          <StatusChip status={each.status} />
          <strong>{each.labels.alertname ?? "(no name)"}</strong>
          <span className="dim">
            {[each.labels.severity, ...labelTexts(each.labels)].filter(Boolean).join(" · ")}
          </span>
          <span>
            {formatTime(parseTime(each.starts_at))} to {endOf(each)}
          </span>
          <AlertLinks
            alert={each.labels.alertname ?? ""}
            labels={each.labels}
            runbook={each.annotations.runbook_url}
            dashboard={each.annotations.dashboard_url}
          />
          <span className="alert-summary">{each.annotations.summary ?? each.annotations.description}</span>
        </li>
      ))}
    </ul>
  );
}

function endOf({ status, ends_at }: Notification): string {
  if (ends_at !== null) return formatTime(parseTime(ends_at));
  return status === "firing" ? "now" : "an unknown time";
}
