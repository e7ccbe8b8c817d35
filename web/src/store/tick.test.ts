import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { eachSecond } from "./tick";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("tells all readers each second, with one timer", () => {
  const [one, other] = [vi.fn<() => void>(), vi.fn<() => void>()];
  const leave = [one, other].map(eachSecond);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(3000);
  expect([one.mock.calls.length, other.mock.calls.length]).toEqual([3, 3]);

  leave[0]!();
  vi.advanceTimersByTime(1000);
  expect([one.mock.calls.length, other.mock.calls.length]).toEqual([3, 4]);
  leave[1]!();
  expect(vi.getTimerCount()).toBe(0);
});

it("starts again for whoever comes after the last one has left", () => {
  eachSecond(vi.fn<() => void>())();
  const late = vi.fn<() => void>();
  const leave = eachSecond(late);
  vi.advanceTimersByTime(1000);
  expect(late).toHaveBeenCalledTimes(1);
  leave();
});
