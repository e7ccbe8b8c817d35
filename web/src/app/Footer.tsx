import { useLinks, useVersion } from "../store";

/** What this page does not show, and where that is. */
export function Footer() {
  const { grafana, prometheus } = useLinks();
  const version = useVersion();
  return (
    <footer className="app-footer">
      <p>
        This page shows one process since its start. Runs of several processes, and of days gone by, are in{" "}
        {grafana === null ? (
          <>
            Grafana and Tempo (<code>docker compose up</code> starts them)
          </>
        ) : (
          <a href={grafana}>Grafana and Tempo</a>
        )}
        {prometheus !== null && (
          <>
            {" and "}
            <a href={prometheus}>Prometheus</a>
          </>
        )}
        .
      </p>
      {version !== null && <p>Retryscope {version}</p>}
    </footer>
  );
}
