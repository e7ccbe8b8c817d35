import { Suspense, useEffect } from "react";
import { type Selection, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { useAlertHistory } from "../alerts/useAlertHistory";
import type { Step } from "../charts/points";
import { navigate, useLocation } from "../router";
import { reloadHistory, useHistory } from "../store";
import { ErrorNote, lazyPart } from "../ui";
import "./metrics.css";

const ChartFigure = lazyPart(async () => (await import("../charts/ChartFigure")).ChartFigure);

/** The coarse points are counted by the service only: they are read anew as often as there is one more. */
const COARSE_MS = 10_000;

interface Range {
  /** In the address. */
  readonly name: string;
  readonly step: Step;
  readonly label: string;
}

const RANGES: readonly [Range, ...Range[]] = [
  { name: "15m", step: 1, label: "15 min" },
  { name: "3h", step: 10, label: "3 h" },
];

/** The first range needs no words. */
function pathOfRange(chosen: Selection): string {
  const range = RANGES.find(({ step }) => chosen !== "all" && chosen.has(step)) ?? RANGES[0];
  return range === RANGES[0] ? "/metrics" : `/metrics?range=${range.name}`;
}

/** What the service measures about itself. */
export function MetricsPage() {
  const { search } = useLocation();
  const wanted = new URLSearchParams(search).get("range");
  const { step } = RANGES.find(({ name }) => name === wanted) ?? RANGES[0];
  const { history, error } = useHistory();
  const { periods } = useAlertHistory();

  useEffect(() => {
    if (step === 1) return;
    reloadHistory();
    const timer = setInterval(() => {
      if (!document.hidden) reloadHistory();
    }, COARSE_MS);
    return () => clearInterval(timer);
  }, [step]);

  return (
    <>
      <div className="metrics-head">
        <h1>Metrics</h1>
        <ToggleButtonGroup
          aria-label="Time range"
          className="toggle-group"
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[step]}
          onSelectionChange={(keys) => navigate(pathOfRange(keys), { replace: true })}
        >
          {RANGES.map((range) => (
            <ToggleButton key={range.step} id={range.step} className="toggle">
              {range.label}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
      </div>
      <ErrorNote message={error} />
      {history === null && error === null && <p className="loading">Loading…</p>}
      <Suspense fallback={<p className="loading">Loading…</p>}>
        <div className="metrics">
          {history?.charts.map((chart) => (
            <ChartFigure key={chart.id} chart={chart} history={history} step={step} alerts={periods} />
          ))}
        </div>
      </Suspense>
    </>
  );
}
