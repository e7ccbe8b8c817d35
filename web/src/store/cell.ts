import { useSyncExternalStore } from "react";

/** At most ten renderings a second, however fast events come. */
const FLUSH_MS = 100;

const dirty = new Set<Cell<unknown>>();
let timer: ReturnType<typeof setTimeout> | undefined;

function flush(): void {
  timer = undefined;
  const cells = [...dirty];
  dirty.clear();
  cells.forEach((cell) => cell.notify());
}

/** A value that components read; its readers hear of a change with the next flush. */
export class Cell<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private value: T) {}

  readonly get = (): T => this.value;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    this.touch();
  }

  /** Tell the readers although the value is the same object. */
  touch(): void {
    if (this.listeners.size === 0) return;
    dirty.add(this);
    timer ??= setTimeout(flush, FLUSH_MS);
  }

  notify(): void {
    this.listeners.forEach((listener) => listener());
  }
}

export const useCell = <T>(cell: Cell<T>): T => useSyncExternalStore(cell.subscribe, cell.get);
