import { useEffect, useState } from "react";
import { formatCountdown, plural } from "../format";
import { errorText } from "../runs/tasks";
import { now } from "../store/clock";
import type { Waiting } from "./why";

interface RunReasonProps {
  readonly why: string | null;
  readonly waiting: readonly Waiting[];
}

/** Below the title: why it failed, or what it waits for. */
export function RunReason({ why, waiting }: RunReasonProps) {
  const [first] = waiting;
  if (first === undefined && why === null) return null;
  return (
    <p className="run-reason" data-testid="run-reason">
      {first === undefined ? why : <NextAttempt waiting={first} others={waiting.length - 1} />}
    </p>
  );
}

function NextAttempt({ waiting, others }: { readonly waiting: Waiting; readonly others: number }) {
  const { operation, until, next, most, remaining, error } = waiting;
  return (
    <>
      {operation}: next attempt in <Countdown until={until} />, {next}
      {most !== null && ` of ${most}, ${remaining || "none"} remaining`}
      {error && `; last error: ${errorText(error)}`}
      {others > 0 && `; ${plural(others, "retry waits", "retries wait")} as well`}
    </>
  );
}

const TICK_MS = 100;

function Countdown({ until }: { readonly until: number }) {
  const [left, setLeft] = useState(() => until - now());
  useEffect(() => {
    const timer = setInterval(() => setLeft(until - now()), TICK_MS);
    return () => clearInterval(timer);
  }, [until]);
  return <span className="number">{formatCountdown(left)}</span>;
}
