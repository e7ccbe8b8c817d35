import { useSyncExternalStore } from "react";
import type { TimeWindow } from "./time";

/** The zoomed window, null for all. Outside React's state, so that a zoom renders no row anew. */
export class Zoom {
  #window: TimeWindow | null = null;
  readonly #listeners = new Set<() => void>();

  readonly get = (): TimeWindow | null => this.#window;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(window: TimeWindow | null): void {
    this.#window = window;
    this.#listeners.forEach((listener) => listener());
  }
}

export function useZoom(zoom: Zoom): TimeWindow | null {
  return useSyncExternalStore(zoom.subscribe, zoom.get);
}
