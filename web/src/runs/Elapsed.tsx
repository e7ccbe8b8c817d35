import { formatDuration, formatElapsed } from "../format";
import { now } from "../store/clock";
import { useTimeText } from "../store/tick";

/** How long something takes, counting while it goes on. */
export function Elapsed({ from, to }: { readonly from: number; readonly to: number | null }) {
  return to === null ? <SoFar from={from} /> : formatDuration(to - from);
}

function SoFar({ from }: { readonly from: number }) {
  return useTimeText(() => soFarText(now() - from));
}

const soFarText = (elapsed: number): string =>
  elapsed < 1 ? "under 1 s so far" : `${formatElapsed(Math.floor(elapsed))} so far`;
