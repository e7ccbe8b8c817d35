import type { AlertState } from "../api/types";

const HIDDEN_LABELS: ReadonlySet<string> = new Set(["alertname", "severity"]);

/** Name and labels: `RetryStorm operation=call`. */
export function alertName({ alert, labels }: Pick<AlertState, "alert" | "labels">): string {
  return [alert, ...labelTexts(labels)].join(" ");
}

/** How a rule stands, in one word; the service knows what keeps it from firing, too. */
export const standing = ({ state, lacks }: Pick<AlertState, "state" | "lacks">): string =>
  lacks === null ? state : "above";

export const labelTexts = (labels: Readonly<Record<string, string>>): string[] =>
  Object.entries(labels)
    .filter(([name]) => !HIDDEN_LABELS.has(name))
    .map(([name, value]) => `${name}=${value}`);
