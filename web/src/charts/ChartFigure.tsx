import { useMemo, useState } from "react";
import { ToggleButton } from "react-aria-components";
import type { AlertPeriod, ChartData, History } from "../api/types";
import { bandsOf } from "./bands";
import { ChartTable } from "./ChartTable";
import { Legend } from "./Legend";
import { Plot } from "./Plot";
import type { Step } from "./points";
import { QueryLinks } from "./QueryLinks";
import "./charts.css";

interface Props {
  readonly chart: ChartData;
  readonly history: History;
  readonly step: Step;
  readonly alerts?: readonly AlertPeriod[];
  /** Without table and queries: the page of all metrics has them. */
  readonly small?: boolean;
}

const NO_ALERTS: readonly AlertPeriod[] = [];

/** One chart with its legend; as a table for who wants numbers. */
export function ChartFigure({ chart, history, step, alerts = NO_ALERTS, small = false }: Props) {
  const [asTable, setAsTable] = useState(false);
  const bands = useMemo(() => bandsOf(chart.id, alerts), [chart.id, alerts]);
  const Heading = small ? "h3" : "h2";
  return (
    <section className={small ? "chart chart-small" : "panel chart"} aria-label={chart.title}>
      <div className="chart-head">
        <Heading>{chart.title}</Heading>
        {!small && (
          <div className="chart-actions">
            <ToggleButton
              className="button button-quiet"
              aria-label={`Table of ${chart.title}`}
              isSelected={asTable}
              onChange={setAsTable}
            >
              Table
            </ToggleButton>
            <QueryLinks chart={chart} step={step} />
          </div>
        )}
      </div>
      {!small && <p className="dim chart-description">{chart.description}</p>}
      <Legend chart={chart} step={step} />
      {asTable ? (
        <ChartTable chart={chart} history={history} step={step} />
      ) : (
        <Plot chart={chart} history={history} step={step} bands={bands} small={small} />
      )}
      {!small && chart.threshold !== null && (
        <p className="dim chart-description">
          <span aria-hidden="true">┄ </span>threshold: {chart.threshold.label}
        </p>
      )}
    </section>
  );
}
