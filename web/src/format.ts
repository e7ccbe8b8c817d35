/** Numbers and times as a reader wants them. */

import { now } from "./store/clock";

const DASH = "–";

/** A length of time: `480 µs`, `117 ms`, `2.44 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return DASH;
  const length = Math.max(0, seconds);
  if (length === 0) return "0 ms";
  if (length < 0.0009995) return `${Math.round(length * 1e6)} µs`;
  if (length < 0.0099995) return `${(length * 1000).toFixed(1)} ms`;
  if (length < 0.9995) return `${Math.round(length * 1000)} ms`;
  return length < 59.995 ? `${length.toFixed(2)} s` : formatElapsed(length);
}

/** What is left of a time: in tenths while that is a difference, since milliseconds could not be read. */
export const formatCountdown = (left: number): string =>
  left < 9.95 ? `${Math.max(left, 0).toFixed(1)} s` : formatElapsed(left);

/** The same in whole seconds, for what still goes on. */
export function formatElapsed(length: number): string {
  const whole = Math.round(length);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(length / 60);
  if (minutes < 1440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(length / 3600);
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** How long ago, in the largest unit: `12 s ago`, `3 min ago`. */
export function formatAgo(length: number): string {
  if (length < 1) return "just now";
  if (length < 60) return `${Math.floor(length)} s ago`;
  if (length < 3600) return `${Math.floor(length / 60)} min ago`;
  return length < 172_800 ? `${Math.floor(length / 3600)} h ago` : `${Math.floor(length / 86_400)} d ago`;
}

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;

const two = (value: number): string => String(value).padStart(2, "0");

/** The time of day, local: `14:03:09`. */
export function formatClock(time: number): string {
  const date = new Date(time * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Date and time, local: `2026-01-31 14:03:09`; without the date if it is today's. */
export function formatTime(time: number | null | undefined): string {
  if (time === null || time === undefined) return DASH;
  const isToday = new Date(time * 1000).toDateString() === new Date(now() * 1000).toDateString();
  return isToday ? formatClock(time) : formatDateTime(time);
}

/** The same, always with the date. */
export function formatDateTime(time: number): string {
  const date = new Date(time * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${formatClock(time)}`;
}

/** ISO 8601 as seconds since the epoch. */
export const parseTime = (text: string): number => Date.parse(text) / 1000;

/** A count with thin groups: `12 345`. */
export const formatCount = (value: number): string =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** Three significant digits at most, no trailing zeros. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  if (Math.abs(value) >= 1000) return formatCount(value);
  return String(Number(value.toPrecision(3)));
}

/** `67 %`, `0.4 %`. */
export function formatRatio(value: number | null | undefined): string {
  return value === null || value === undefined ? DASH : `${formatNumber(value * 100)} %`;
}

export function formatValue(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return DASH;
  if (unit === "ratio") return formatRatio(value);
  if (unit === "s") return formatDuration(value);
  if (unit === "1/s") return `${formatNumber(value)}/s`;
  return formatNumber(value);
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

/** `max_retries` as `Max retries`. */
export function humanize(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
