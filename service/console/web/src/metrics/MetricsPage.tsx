import { Suspense, useEffect, useState } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { useAlertHistory } from "../alerts/useAlertHistory";
import type { Step } from "../charts/points";
import { reloadHistory, useHistory } from "../store";
import { ErrorNote, lazyPart } from "../ui";
import "./metrics.css";

const ChartFigure = lazyPart(async () => (await import("../charts/ChartFigure")).ChartFigure);

/** The coarse points are counted by the service only: they are read anew as often as there is one more. */
const COARSE_MS = 10_000;

const RANGES: readonly { readonly step: Step; readonly label: string }[] = [
  { step: 1, label: "15 min" },
  { step: 10, label: "3 h" },
];

/** What the service measures about itself. */
export function MetricsPage() {
  const [step, setStep] = useState<Step>(1);
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
          selectedKeys={[String(step)]}
          onSelectionChange={(keys) => setStep(keys.has("10") ? 10 : 1)}
        >
          {RANGES.map((range) => (
            <ToggleButton key={range.step} id={String(range.step)} className="toggle">
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
