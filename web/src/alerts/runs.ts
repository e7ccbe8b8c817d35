/** Where the runs are that an alert is about. */

import type { AlertState } from "../api/types";
import { type Filters, NO_FILTERS, filterPath } from "../runs/filters";

export interface RunsLink {
  readonly text: string;
  readonly href: string;
}

type Choice = readonly [text: string, filter: Partial<Filters>];

const FAILED: Choice = ["Failing runs", { failures: "some" }];
const RETRIED: Choice = ["Retried runs", { retried: true }];
const CANCELLED: Choice = ["Cancelled runs", { status: "cancelled" }];
const RUNNING: Choice = ["Runs in flight", { status: "running" }];

/** By alert; the others are about the process, and no run shows why. */
const CHOICES: ReadonlyMap<string, Choice> = new Map([
  ["FailureBudgetBurn", FAILED],
  ["OperationBudgetBurn", FAILED],
  ["OperationFailureRatioHigh", FAILED],
  ["TimeoutRatioHigh", FAILED],
  ["RetryStorm", RETRIED],
  ["CancellationSpike", CANCELLED],
  ["Stalled", RUNNING],
  ["ConcurrencySaturated", RUNNING],
]);

/** The list of runs, narrowed down as far as its filters can; null: no runs are to be blamed. */
export function runsOf({ alert, labels }: Pick<AlertState, "alert" | "labels">): RunsLink | null {
  const choice = CHOICES.get(alert);
  if (choice === undefined) return null;
  const [text, filter] = choice;
  return { text, href: filterPath({ ...NO_FILTERS, workflow: labels.workflow ?? "", ...filter }) };
}
