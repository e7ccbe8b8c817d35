import { describe, expect, it } from "vitest";
import { sharesOf, ticks, visibleWindow, windowOfShares, zoomTo } from "./time";

describe("the visible window", () => {
  it("is the whole trace until somebody zooms, and grows with it", () => {
    expect(visibleWindow(null, 2)).toEqual({ from: 0, to: 2 });
    expect(visibleWindow(null, 4)).toEqual({ from: 0, to: 4 });
    expect(visibleWindow({ from: 1, to: 2 }, 4)).toEqual({ from: 1, to: 2 });
  });

  it("is never empty", () => {
    expect(visibleWindow(null, 0).to).toBeGreaterThan(0);
    expect(windowOfShares(0.5, 0.5, 4)?.to).toBeGreaterThan(2);
    const { from, to } = zoomTo(3, 3, 3);
    expect(to).toBeGreaterThan(from);
  });

  it("shows a span with a little room, inside the trace", () => {
    const { from, to } = zoomTo(1, 2, 10);
    expect(from).toBeCloseTo(0.92);
    expect(to).toBeCloseTo(2.08);
    expect(zoomTo(0, 10, 10)).toEqual({ from: 0, to: 10 });
  });

  it("translates to shares of the trace and back", () => {
    expect(windowOfShares(0, 1, 8)).toBeNull();
    expect(windowOfShares(0.25, 0.5, 8)).toEqual({ from: 2, to: 4 });
    expect(sharesOf({ from: 2, to: 4 }, 8)).toEqual([0.25, 0.5]);
    expect(sharesOf({ from: 2, to: 4 }, 16)).toEqual([0.125, 0.25]);
    expect(sharesOf(null, 8)).toEqual([0, 1]);
  });
});

describe("ticks", () => {
  const labels = (from: number, to: number, count = 5) =>
    ticks({ from, to }, count).map((tick) => tick.label);

  it("are round times with a unit and no more digits than they need", () => {
    expect(labels(0, 2.44)).toEqual(["0", "500 ms", "1.0 s", "1.5 s", "2.0 s"]);
    expect(labels(0, 0.01)).toEqual(["0", "2 ms", "4 ms", "6 ms", "8 ms", "10 ms"]);
    expect(labels(0, 100)).toEqual(["0", "20 s", "40 s", "60 s", "80 s", "100 s"]);
  });

  it("tell neighbours apart in a small window late in a long trace", () => {
    expect(labels(7.001, 7.003, 4)).toEqual(["7.0010 s", "7.0015 s", "7.0020 s", "7.0025 s", "7.0030 s"]);
  });

  it("lie inside the window", () => {
    for (const { at } of ticks({ from: 1.3, to: 2.9 }, 6)) {
      expect(at).toBeGreaterThanOrEqual(1.3 - 1e-6);
      expect(at).toBeLessThanOrEqual(2.9 + 1e-6);
    }
  });
});
