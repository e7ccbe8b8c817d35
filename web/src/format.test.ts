import { expect, test } from "vitest";
import {
  formatAgo,
  formatCount,
  formatCountdown,
  formatDateTime,
  formatDuration,
  formatNumber,
  formatRatio,
  formatTime,
  formatValue,
  humanize,
  parseTime,
  plural,
} from "./format";
import { serviceClock } from "./store/clock";

test.each([
  [null, "–"],
  [0, "0 ms"],
  [0.00048, "480 µs"],
  [0.00999, "10.0 ms"],
  [0.117, "117 ms"],
  [0.9996, "1.00 s"],
  [2.44, "2.44 s"],
  [59.999, "1 min"],
  [200, "3 min 20 s"],
  [3599.9, "1 h"],
  [7500, "2 h 5 min"],
  [90_000, "1 d 1 h"],
])("%s seconds are %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [-3, "0.0 s", "just now"],
  [0.84, "0.8 s", "just now"],
  [9.97, "10 s", "9 s ago"],
  [125, "2 min 5 s", "2 min ago"],
  [7300, "2 h 2 min", "2 h ago"],
  [200_000, "2 d 8 h", "2 d ago"],
])("of %s seconds %s are left, and it was %s", (seconds, left, ago) => {
  expect(formatCountdown(seconds)).toBe(left);
  expect(formatAgo(seconds)).toBe(ago);
});

test("a value is written in its unit", () => {
  expect(formatValue(0.144, "ratio")).toBe("14.4 %");
  expect(formatValue(0.25, "s")).toBe("250 ms");
  expect(formatValue(7.94999, "1/s")).toBe("7.95/s");
  expect(formatValue(3, "count")).toBe("3");
  expect(formatValue(null, "count")).toBe("–");
});

test("numbers are short, and large ones are grouped", () => {
  expect(formatNumber(1.23456)).toBe("1.23");
  expect(formatCount(1234567)).toBe("1\u202f234\u202f567");
  expect(formatRatio(0.00004)).toBe("0.004 %");
  expect([plural(1, "retry", "retries"), plural(2, "retry", "retries")]).toEqual(["1 retry", "2 retries"]);
  expect(humanize("max_retries")).toBe("Max retries");
});

test("what was today is told by the service's clock", () => {
  const time = parseTime("2035-01-31T12:10:00Z");
  expect(formatTime(time)).toMatch(/^2035-0\d-\d\d \d\d:\d\d:00$/);
  serviceClock.heard(time + 2);
  expect(formatTime(time)).toMatch(/^\d\d:\d\d:00$/);
  expect(formatDateTime(time)).toMatch(/^2035-0\d-\d\d \d\d:\d\d:00$/);
});
