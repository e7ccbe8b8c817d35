import { useSyncExternalStore } from "react";
import { addressFor, pathOf } from "../api/root";

/** Where the page is: the path, and what follows the question mark. */
export interface Location {
  readonly path: string;
  readonly search: string;
}

const MOVED = "retryscope:moved";
let location: Location = { path: "", search: "" };

/** How often the reader went to another page, so that focus can follow; going back counts. */
let visits = 0;

export function currentLocation(): Location {
  const { pathname, search } = window.location;
  const path = pathOf(pathname);
  if (location.path !== path || location.search !== search) location = { path, search };
  return location;
}

/** Go to an address of this page; `replace` changes the address without an entry in the history. */
export function navigate(to: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  const before = currentLocation();
  if (replace) history.replaceState(null, "", addressFor(to));
  else history.pushState(null, "", addressFor(to));
  if (before.path !== currentLocation().path) {
    visits += 1;
    scrollTo(0, 0);
  }
  dispatchEvent(new Event(MOVED));
}

function subscribe(listener: () => void): () => void {
  addEventListener(MOVED, listener);
  addEventListener("popstate", listener);
  return () => {
    removeEventListener(MOVED, listener);
    removeEventListener("popstate", listener);
  };
}

addEventListener("popstate", () => {
  visits += 1;
});

export const useLocation = (): Location => useSyncExternalStore(subscribe, currentLocation);
/** 0 until the reader first goes to another page. */
export const useVisits = (): number => useSyncExternalStore(subscribe, () => visits);

export const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;
