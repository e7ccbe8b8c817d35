import { Suspense } from "react";
import { Link } from "../router";
import { useHistory } from "../store";
import { lazyPart, Panel } from "../ui";

const ChartFigure = lazyPart(async () => (await import("../charts/ChartFigure")).ChartFigure);

const SHOWN: readonly string[] = ["rate", "failure_ratio", "latency", "attempts"];

/** The last 15 minutes at a glance. */
export function SmallCharts() {
  const { history } = useHistory();
  const charts = history?.charts.filter(({ id }) => SHOWN.includes(id)) ?? [];
  return (
    <Panel title="Last 15 minutes" aside={<Link href="/metrics">All metrics</Link>}>
      <Suspense fallback={<p className="loading">Loading…</p>}>
        <div className="small-charts">
          {history !== null &&
            charts.map((chart) => (
              <ChartFigure key={chart.id} chart={chart} history={history} step={1} small />
            ))}
        </div>
      </Suspense>
    </Panel>
  );
}
