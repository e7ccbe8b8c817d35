import { formatAgo, formatDateTime } from "../format";
import { now } from "../store/clock";
import { useTimeText } from "../store/tick";

/** How long ago something was, as time goes by; the time itself is shown to who points at it. */
export function Ago({ time, className }: { readonly time: number; readonly className?: string }) {
  const text = useTimeText(() => formatAgo(now() - time));
  return (
    <time dateTime={new Date(time * 1000).toISOString()} title={formatDateTime(time)} className={className}>
      {text}
    </time>
  );
}
