import { expect, test } from "vitest";
import { runsOf } from "./runs";

test("an alert leads to the runs that it is about", () => {
  const labels = { workflow: "retry", operation: "call", severity: "warning" };
  expect(runsOf({ alert: "OperationFailureRatioHigh", labels })).toEqual({
    text: "Failing runs",
    href: "/runs?workflow=retry&failures=some",
  });
  expect(runsOf({ alert: "RetryStorm", labels })?.href).toBe("/runs?workflow=retry&retried=1");
  expect(runsOf({ alert: "CancellationSpike", labels })?.href).toBe("/runs?status=cancelled&workflow=retry");
});

test("one without a workflow leads to those of all", () => {
  expect(runsOf({ alert: "ConcurrencySaturated", labels: { pool: "inline" } })?.href).toBe(
    "/runs?status=running",
  );
});

test("a workflow may have any name", () => {
  const labels = { workflow: "a&b=c #%" };
  const { href } = runsOf({ alert: "Stalled", labels }) ?? { href: "" };
  expect(new URLSearchParams(href.split("?")[1]).get("workflow")).toBe(labels.workflow);
});

test("what no run explains leads to none, whatever it is called", () => {
  for (const alert of ["EventLoopLagHigh", "ServiceDown", "TelemetryDropped", "constructor", "Another"]) {
    expect(runsOf({ alert, labels: {} })).toBeNull();
  }
});
