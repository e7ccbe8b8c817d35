import { labelOf } from "./text";
import type { Row } from "./rows";

export type Command =
  | "down"
  | "up"
  | "pageDown"
  | "pageUp"
  | "first"
  | "last"
  | "open"
  | "close"
  | "details"
  | "search"
  | "nextError"
  | "previousError"
  | "zoom"
  | "resetZoom"
  | "help";

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** For the help, and in its order. */
export const HELP: readonly (readonly [keys: string, what: string])[] = [
  ["↑ ↓", "previous or next row"],
  ["→", "open the row, then go to its first child"],
  ["←", "close the row, then go to its parent"],
  ["Home End", "first or last row"],
  ["PageUp PageDown", "a page up or down"],
  ["a to Z", "go to the row whose name begins with what you type"],
  ["Enter", "details of the span; Escape leads back"],
  ["e", "next error (E: the one before)"],
  ["z", "zoom to the span"],
  ["0", "show all of the time again"],
  ["/", "search"],
  ["?", "this help"],
];

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["ArrowDown", "down"],
  ["ArrowUp", "up"],
  ["PageDown", "pageDown"],
  ["PageUp", "pageUp"],
  ["Home", "first"],
  ["End", "last"],
  ["ArrowRight", "open"],
  ["ArrowLeft", "close"],
  ["Enter", "details"],
  ["/", "search"],
  ["e", "nextError"],
  ["E", "previousError"],
  ["z", "zoom"],
  ["0", "resetZoom"],
  ["?", "help"],
]);

/** Commands that also work when no row has the focus. */
export const PAGE_COMMANDS: ReadonlySet<Command> = new Set([
  "search",
  "nextError",
  "previousError",
  "zoom",
  "resetZoom",
  "help",
]);

export function commandOf(press: KeyPress): Command | null {
  if (press.ctrlKey || press.altKey || press.metaKey) return null;
  return COMMANDS.get(press.key) ?? null;
}

/** What was typed within a second of each other; the first letter may not be a command. */
export class TypeAhead {
  #typed = "";
  #last = -Infinity;

  constructor(private readonly pause: number = 1000) {}

  /** Whether a key belongs to a word that was begun. */
  isOngoing(now: number): boolean {
    return this.#typed !== "" && now - this.#last < this.pause;
  }

  /** Adds a character; returns all that was typed. */
  type(character: string, now: number): string {
    this.#typed = this.isOngoing(now) ? this.#typed + character : character;
    this.#last = now;
    return this.#typed;
  }
}

export function isCharacter(press: KeyPress): boolean {
  return press.key.length === 1 && !press.ctrlKey && !press.altKey && !press.metaKey;
}

/** The next row whose name, operation or task begins with the text; one letter goes on to the next such row. */
export function typeAheadTarget(rows: readonly Row[], current: number, typed: string): number | null {
  const text = typed.toLowerCase();
  const first = text.length === 1 ? 1 : 0;
  for (let step = first; step < rows.length + first; step++) {
    const index = (Math.max(current, 0) + step) % rows.length;
    const span = rows[index]?.node.span;
    const names = span ? [labelOf(span), span.operation, span.task] : [];
    if (names.some((name) => name?.toLowerCase().startsWith(text))) return index;
  }
  return null;
}
