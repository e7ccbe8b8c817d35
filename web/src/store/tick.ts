import { useSyncExternalStore } from "react";

/** The finest that a time in words is told in. */
const TICK_MS = 1000;

const readers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One timer for all readers, since a list has hundreds of them; none while nobody reads. */
export function eachSecond(reader: () => void): () => void {
  readers.add(reader);
  timer ??= setInterval(() => readers.forEach((read) => read()), TICK_MS);
  return () => {
    readers.delete(reader);
    if (readers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** A text that changes with the time: whoever shows it is rendered anew only when it is another one. */
export const useTimeText = (text: () => string): string => useSyncExternalStore(eachSecond, text);
