import type { AlertState, CleanupOutcome, Outcome, RunRecord, RunSummary, SeriesColor } from "../api/types";

/** How something stands, as a symbol, a word and a colour: never by colour alone. */
export interface StatusLook {
  readonly symbol: string;
  readonly label: string;
  /** Of the classes `tone-…` and the variables `--…` and `--…-text` in theme.css. */
  readonly tone: Tone;
}

export type Tone =
  "success" | "error" | "timeout" | "cancelled" | "backoff" | "cleanup" | "running" | "neutral";

/** Whatever the service says of a run, an operation, a cleanup or an alert has one. */
type Known = Outcome | CleanupOutcome | RunRecord["state"] | RunSummary["state"] | AlertState["state"];

const LOOKS: Readonly<Record<Known, StatusLook> & Record<string, StatusLook>> = {
  running: { symbol: "●", label: "running", tone: "running" },
  queued: { symbol: "○", label: "queued", tone: "neutral" },
  cancelling: { symbol: "⊘", label: "cancelling", tone: "cancelled" },
  success: { symbol: "✓", label: "success", tone: "success" },
  succeeded: { symbol: "✓", label: "success", tone: "success" },
  /** It succeeded as a whole, and tasks of it failed. */
  partial: { symbol: "!", label: "success", tone: "backoff" },
  completed: { symbol: "✓", label: "completed", tone: "cleanup" },
  error: { symbol: "✕", label: "error", tone: "error" },
  failed: { symbol: "✕", label: "failed", tone: "error" },
  exhausted: { symbol: "✕", label: "exhausted", tone: "error" },
  lost: { symbol: "✕", label: "lost", tone: "error" },
  timeout: { symbol: "◷", label: "timeout", tone: "timeout" },
  timed_out: { symbol: "◷", label: "timed out", tone: "timeout" },
  cancelled: { symbol: "⊘", label: "cancelled", tone: "cancelled" },
  backoff: { symbol: "…", label: "backoff", tone: "backoff" },
  ended: { symbol: "■", label: "ended", tone: "neutral" },
  firing: { symbol: "▲", label: "firing", tone: "error" },
  pending: { symbol: "△", label: "pending", tone: "backoff" },
  above: { symbol: "◔", label: "above threshold", tone: "backoff" },
  inactive: { symbol: "✓", label: "inactive", tone: "neutral" },
  resolved: { symbol: "✓", label: "resolved", tone: "neutral" },
};

export const statusLook = (status: string): StatusLook =>
  LOOKS[status] ?? { symbol: "•", label: status, tone: "neutral" };

/** The colour of an outcome, wherever it is drawn. */
export const toneOf = (meaning: SeriesColor): Tone => LOOKS[meaning]?.tone ?? "neutral";

/** One word for a run: its outcome once it has ended, its state before. */
export const runStatus = (run: Pick<RunSummary, "state" | "outcome">): string =>
  run.state === "ended" ? (run.outcome ?? "ended") : run.state;
