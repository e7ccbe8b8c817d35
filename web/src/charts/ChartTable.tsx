import type { ChartData, History } from "../api/types";
import { formatClock, formatValue } from "../format";
import { type Step, tableRows } from "./points";

/** The chart's values in words. */
export function ChartTable({ chart, history, step }: { chart: ChartData; history: History; step: Step }) {
  const rows = tableRows(chart.series, history, step);
  return (
    <div className="chart-table" tabIndex={0} role="region" aria-label={`${chart.title}: values`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {chart.series.map((series) => (
              <th key={series.key} scope="col" className="number">
                {series.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ time, values }) => (
            <tr key={time}>
              <th scope="row">{formatClock(time)}</th>
              {values.map((value, index) => (
                <td key={chart.series[index]?.key} className="number">
                  {formatValue(value, chart.unit)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="dim">No values yet.</p>}
    </div>
  );
}
