import type { Span } from "../api/types";

/** The TraceQL that finds a trace. */
export function traceqlOfTrace(traceId: string): string {
  return `{ trace:id = "${traceId}" }`;
}

/** The TraceQL that finds spans like this one, in any trace: the same name, outcome and error. */
export function traceqlOfSpan(span: Span): string {
  const conditions = [`name = ${quoted(span.name)}`];
  for (const key of ["resilience.workflow", "resilience.outcome", "error.type", "resilience.cancel.cause"]) {
    const value = span.attributes[key];
    if (typeof value === "string") conditions.push(`span.${key} = ${quoted(value)}`);
  }
  return `{ ${conditions.join(" && ")} }`;
}

/** The address that shows a trace in Grafana, with the data source that the project provisions. */
export function grafanaTrace(grafana: string, traceId: string): string {
  const query = {
    refId: "A",
    datasource: { type: "tempo", uid: "tempo" },
    queryType: "traceql",
    query: traceId,
  };
  const panes = { trace: { datasource: "tempo", queries: [query], range: { from: "now-1h", to: "now" } } };
  const search = new URLSearchParams({ schemaVersion: "1", orgId: "1", panes: JSON.stringify(panes) });
  return `${grafana.replace(/\/$/, "")}/explore?${search}`;
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
