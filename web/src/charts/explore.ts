/** Addresses that show the same in Grafana. The bundled stack gives its data sources these uids. */

const PROMETHEUS = { type: "prometheus", uid: "prometheus" };
const TEMPO = { type: "tempo", uid: "tempo" };

export const explorePromql = (grafana: string, expr: string, from: string): string =>
  explore(grafana, PROMETHEUS.uid, { refId: "A", datasource: PROMETHEUS, expr, range: true }, from);

export const exploreTraceql = (grafana: string, query: string, from: string): string =>
  explore(grafana, TEMPO.uid, { refId: "A", datasource: TEMPO, queryType: "traceql", query }, from);

function explore(grafana: string, datasource: string, query: object, from: string): string {
  const panes = { a: { datasource, queries: [query], range: { from, to: "now" } } };
  const search = new URLSearchParams({ schemaVersion: "1", orgId: "1", panes: JSON.stringify(panes) });
  return `${grafana.replace(/\/$/, "")}/explore?${search}`;
}

export function prometheusGraph(prometheus: string, expr: string, range: string): string {
  const search = new URLSearchParams({ "g0.expr": expr, "g0.range_input": range, "g0.tab": "0" });
  return `${prometheus.replace(/\/$/, "")}/graph?${search}`;
}
