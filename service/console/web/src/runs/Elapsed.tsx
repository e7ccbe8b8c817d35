import { useEffect, useState } from "react";
import { formatDuration, formatElapsed } from "../format";

/** How long something takes, counting while it goes on. */
export function Elapsed({ from, to }: { readonly from: number; readonly to: number | null }) {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (to !== null) return;
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, [to]);
  if (to !== null) return formatDuration(to - from);
  return now - from < 1 ? "under 1 s so far" : `${formatElapsed(now - from)} so far`;
}
