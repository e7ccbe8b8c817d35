import type { ChartData } from "../api/types";
import { useLinks } from "../store";
import { CopyButton } from "../ui";
import { explorePromql, exploreTraceql, prometheusGraph } from "./explore";
import type { Step } from "./points";

/** The queries that show the same elsewhere: to copy, and as links where Grafana or Prometheus is known. */
export function QueryLinks({ chart, step }: { readonly chart: ChartData; readonly step: Step }) {
  const { grafana, prometheus } = useLinks();
  const { title, promql, traceql } = chart;
  const range = step === 1 ? "15m" : "3h";
  return (
    <>
      <CopyButton label="PromQL" description={`Copy the PromQL of ${title}`} text={() => promql} />
      {traceql !== null && (
        <CopyButton label="TraceQL" description={`Copy the TraceQL of ${title}`} text={() => traceql} />
      )}
      {grafana !== null && (
        <Elsewhere label="Grafana" title={title} href={explorePromql(grafana, promql, `now-${range}`)} />
      )}
      {grafana !== null && traceql !== null && (
        <Elsewhere label="Tempo" title={title} href={exploreTraceql(grafana, traceql, `now-${range}`)} />
      )}
      {prometheus !== null && (
        <Elsewhere label="Prometheus" title={title} href={prometheusGraph(prometheus, promql, range)} />
      )}
    </>
  );
}

function Elsewhere({
  label,
  title,
  href,
}: {
  readonly label: string;
  readonly title: string;
  readonly href: string;
}) {
  return (
    <a href={href} target="_blank" rel="noopener" aria-label={`${title} in ${label}`}>
      {label}
    </a>
  );
}
