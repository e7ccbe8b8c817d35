import type { ChartData } from "../api/types";
import { formatValue } from "../format";
import { toneOf } from "../theme/status";
import { dashesOf } from "./option";
import { latestValue, type Step } from "./points";

/** What each line means, drawn as in the chart, and its latest value. */
export function Legend({ chart, step }: { readonly chart: ChartData; readonly step: Step }) {
  return (
    <ul className="legend" aria-label={`${chart.title} now`}>
      {chart.series.map((series, index) => (
        <li key={series.key} className={`tone-${toneOf(series.color)}`}>
          <svg width="26" height="8" aria-hidden="true">
            <line
              x1="0"
              y1="4"
              x2="26"
              y2="4"
              strokeWidth="2.5"
              strokeDasharray={dashesOf(index).join(" ")}
            />
          </svg>
          {series.label} <strong>{formatValue(latestValue(series, step), chart.unit)}</strong>
        </li>
      ))}
    </ul>
  );
}
