import { expect, it } from "vitest";
import { span } from "../waterfall/fixtures";
import { grafanaTrace, traceqlOfSpan, traceqlOfTrace } from "./traceql";

it("asks for a trace by its id", () => {
  expect(traceqlOfTrace("ab12")).toBe('{ trace:id = "ab12" }');
});

it("asks for spans that ended in the same way", () => {
  const attributes = {
    "resilience.workflow": "retry",
    "resilience.outcome": "error",
    "error.type": "ApiError",
    other: 1,
  };
  expect(traceqlOfSpan(span({ id: "a", name: "attempt call", attributes }))).toBe(
    '{ name = "attempt call" && span.resilience.workflow = "retry" && span.resilience.outcome = "error"' +
      ' && span.error.type = "ApiError" }',
  );
});

it("quotes what a name may hold", () => {
  expect(traceqlOfSpan(span({ id: "a", name: 'a "b" \\ c\nd' }))).toBe('{ name = "a \\"b\\" \\\\ c\\nd" }');
});

it("links to the trace in Grafana, wherever that is", () => {
  const url = new URL(grafanaTrace("http://grafana:3000/sub/", "ab12"));
  expect(url.pathname).toBe("/sub/explore");
  const panes = JSON.parse(url.searchParams.get("panes") ?? "") as {
    trace: { queries: { query: string }[] };
  };
  expect(panes.trace.queries[0]?.query).toBe("ab12");
});
