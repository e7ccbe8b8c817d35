import { beforeEach, expect, test } from "vitest";
import { ServiceClock } from "./clock";

const HOUR = 3600;
/** The service's time when the steady clock began. */
const BEGAN = 1_800_000_000;

let steady = 0;
let clock: ServiceClock;

beforeEach(() => {
  steady = 5;
  clock = new ServiceClock(
    () => steady,
    () => BEGAN - HOUR + steady,
  );
});

/** A message arrives after it was under way for so many seconds. */
function receive(delay: number, atService = BEGAN + steady): void {
  clock.heard(atService - delay);
}

test("before anything was heard the time is that of this machine", () => {
  expect(clock.now()).toBe(BEGAN - HOUR + 5);
});

test("the service's time goes on between messages", () => {
  receive(0);
  steady = 8.5;
  expect(clock.now()).toBe(BEGAN + 8.5);
});

test("a message that was under way for long does not set it back", () => {
  receive(0.25);
  for (const delay of [60, 59, 58, 0.5]) receive(delay);
  expect(clock.now()).toBe(BEGAN + 4.75);
});

test("a faster message makes it more exact", () => {
  receive(0.25);
  receive(0.125);
  expect(clock.now()).toBe(BEGAN + 4.875);
});

test("a clock that was set back at the service is followed within seconds", () => {
  receive(0);
  for (let second = 0; second < 10; second++) {
    steady += 1;
    receive(0, BEGAN + steady - HOUR);
  }
  expect(clock.now()).toBe(BEGAN + 15 - HOUR);
});

test("nothing is left of another process", () => {
  receive(0);
  clock.clear();
  receive(0, BEGAN + steady - HOUR);
  expect(clock.now()).toBe(BEGAN + 5 - HOUR);
});
