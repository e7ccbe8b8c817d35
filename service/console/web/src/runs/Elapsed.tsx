import { useEffect, useState } from "react";
import { formatDuration, formatElapsed } from "../format";
import { now } from "../store/clock";

/** How long something takes, counting while it goes on. */
export function Elapsed({ from, to }: { readonly from: number; readonly to: number | null }) {
  const [elapsed, setElapsed] = useState(() => now() - from);
  useEffect(() => {
    if (to !== null) return;
    const timer = setInterval(() => setElapsed(now() - from), 1000);
    return () => clearInterval(timer);
  }, [from, to]);
  if (to !== null) return formatDuration(to - from);
  return elapsed < 1 ? "under 1 s so far" : `${formatElapsed(elapsed)} so far`;
}
