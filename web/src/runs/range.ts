/** The bounds of a range of time, as the address has them. */

import { now } from "../store/clock";

const SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };
const LENGTH = /^(\d{1,5})([mhd])$/;

export const LENGTHS: readonly { readonly value: string; readonly label: string }[] = [
  { value: "5m", label: "last 5 min" },
  { value: "15m", label: "15 min" },
  { value: "1h", label: "1 h" },
  { value: "24h", label: "24 h" },
];

/** Seconds since the epoch of `15m` (until now) or of a time; null for what is neither. */
export function boundOf(text: string): number | null {
  const [, count, unit] = LENGTH.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return now() - Number(count) * (SECONDS[unit] ?? 0);
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time / 1000;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A bound as a field for date and time wants it, in the reader's own time; empty without one. */
export function localOf(text: string): string {
  const bound = LENGTH.test(text) ? null : boundOf(text);
  if (bound === null) return "";
  const date = new Date(bound * 1000);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The other way round, in a form that means the same to whoever gets the address. */
export function textOfLocal(local: string): string {
  const time = Date.parse(local);
  return Number.isNaN(time) ? "" : new Date(time).toISOString().replace(":00.000Z", "Z");
}
