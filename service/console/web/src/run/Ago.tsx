import { useEffect, useState } from "react";
import { formatAgo } from "../format";
import { now } from "../store/clock";

const TICK_MS = 1000;

/** How long ago something was, as time goes by. */
export function Ago({ time }: { readonly time: number }) {
  const [ago, setAgo] = useState(() => now() - time);
  useEffect(() => {
    const timer = setInterval(() => setAgo(now() - time), TICK_MS);
    return () => clearInterval(timer);
  }, [time]);
  return <time dateTime={new Date(time * 1000).toISOString()}>{formatAgo(ago)}</time>;
}
