import { formatTime } from "../format";
import { Link } from "../router";
import { useAlerts } from "../store";
import { AlertLinks } from "../alerts/AlertLinks";
import { alertName } from "../alerts/text";

const SHOWN = 3;

/** What fires now, where a newcomer looks first. */
export function AlertBanner() {
  const firing = useAlerts().filter((alert) => alert.state === "firing");
  if (firing.length === 0) return null;
  return (
    <section className="alert-banner tone-error" aria-label="Firing alerts">
      <ul>
        {firing.slice(0, SHOWN).map((alert) => (
          <li key={alertName(alert)}>
            <strong>
              <span aria-hidden="true">▲ </span>
              {alertName(alert)}
            </strong>{" "}
            fires since {formatTime(alert.since)}: {alert.summary} <AlertLinks {...alert} />
          </li>
        ))}
      </ul>
      <Link href="/alerts">{firing.length > SHOWN ? `All ${firing.length} alerts` : "Alerts"}</Link>
    </section>
  );
}
