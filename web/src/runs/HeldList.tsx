import { type ReactNode, useState } from "react";
import type { RunSummary } from "../api/types";
import { currentRun } from "../store/runs";
import { RunRow } from "./RunRow";
import { rowOf } from "./row";
import "./runs.css";

interface Props {
  readonly label: string;
  readonly runs: readonly RunSummary[];
  readonly limit: number;
  readonly cancel: boolean;
  readonly empty: ReactNode;
}

type Reason = "pointer" | "focus";

interface Hold {
  readonly runs: readonly RunSummary[];
  readonly reasons: ReadonlySet<Reason>;
}

/**
 * The first runs of a list that changes all the time.
 *
 * While the reader points at it or is in it with the keyboard, the rows stay: only what they say changes.
 */
export function HeldList({ label, runs, limit, cancel, empty }: Props) {
  const [held, setHeld] = useState<Hold | null>(null);
  const shown = held === null ? runs.slice(0, limit) : held.runs.map((run) => currentRun(run.id) ?? run);

  // A click elsewhere ends both reasons before the list is rendered again, so each counts from the one before.
  const hold = (reason: Reason): void =>
    setHeld((before) => ({
      runs: before?.runs ?? runs.slice(0, limit),
      reasons: new Set(before?.reasons).add(reason),
    }));
  const letGo = (reason: Reason): void =>
    setHeld((before) => {
      const reasons = new Set(before?.reasons);
      reasons.delete(reason);
      return before === null || reasons.size === 0 ? null : { ...before, reasons };
    });

  if (shown.length === 0) return <p className="dim">{empty}</p>;
  return (
    <ul
      className="run-list"
      aria-label={label}
      onPointerEnter={(event) => event.pointerType === "mouse" && hold("pointer")}
      onPointerLeave={() => letGo("pointer")}
      onFocus={() => hold("focus")}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) letGo("focus");
      }}
    >
      {shown.map((run) => (
        <RunRow key={run.id} row={rowOf(run)} cancel={cancel} />
      ))}
    </ul>
  );
}
