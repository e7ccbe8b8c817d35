import type { AlertPeriod } from "../api/types";

/** Which alerts a chart explains, by the chart's id. */
const ALERTS: Readonly<Record<string, readonly string[]>> = {
  failure_ratio: ["FailureBudgetBurn", "OperationBudgetBurn", "OperationFailureRatioHigh"],
  attempts: ["TimeoutRatioHigh"],
  amplification: ["RetryStorm"],
  in_flight: ["Stalled", "ConcurrencySaturated"],
  cancellations: ["CancellationSpike"],
  event_loop_lag: ["EventLoopLagHigh"],
};

export interface Band {
  readonly alert: string;
  readonly from: number;
  /** null while it fires. */
  readonly to: number | null;
}

/** When the chart's alerts fired; those of several labels that overlap are one band. */
export function bandsOf(chartId: string, history: readonly AlertPeriod[]): Band[] {
  return (ALERTS[chartId] ?? []).flatMap((alert) => {
    const periods = history.filter((each) => each.alert === alert);
    return merged(periods.sort((one, other) => one.from - other.from));
  });
}

function merged(periods: readonly AlertPeriod[]): Band[] {
  const bands: Band[] = [];
  for (const { alert, from, to } of periods) {
    const last = bands.at(-1);
    if (last === undefined || (last.to !== null && from > last.to)) bands.push({ alert, from, to });
    else bands[bands.length - 1] = { ...last, to: latest(last.to, to) };
  }
  return bands;
}

const latest = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? null : Math.max(one, other);
