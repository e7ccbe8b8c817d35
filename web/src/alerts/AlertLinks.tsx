import { addressFor } from "../api/root";
import type { AlertState } from "../api/types";
import { Link } from "../router";
import { useLinks } from "../store";
import { runsOf } from "./runs";
import { alertName } from "./text";

interface Props extends Pick<AlertState, "alert" | "labels"> {
  readonly runbook?: string | undefined;
  readonly dashboard?: string | undefined;
}

/** What leads on from an alert: the runs that it is about, what to do, and where it is drawn. */
export function AlertLinks({ runbook, dashboard, ...alert }: Props) {
  const { grafana } = useLinks();
  const name = alertName(alert);
  const runs = runsOf(alert);
  const runbookAddress = webAddress(runbook);
  // The address is in the rule, whether there is a Grafana or not.
  const dashboardAddress = grafana === null ? undefined : webAddress(dashboard);
  return (
    <>
      {runs !== null && (
        <Link href={runs.href} aria-label={`${runs.text} of ${name}`}>
          {runs.text}
        </Link>
      )}
      {runbookAddress !== undefined && (
        <a href={runbookAddress} aria-label={`Runbook of ${name}`}>
          Runbook
        </a>
      )}
      {dashboardAddress !== undefined && (
        <a href={dashboardAddress} aria-label={`Dashboard of ${name}`}>
          Dashboard
        </a>
      )}
    </>
  );
}

/** Only a web address may become a link. */
function webAddress(url: string | undefined): string | undefined {
  if (url?.startsWith("/")) return addressFor(url);
  return url !== undefined && /^https?:\/\//i.test(url) ? url : undefined;
}
