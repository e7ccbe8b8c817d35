import { expect, test } from "vitest";
import { boundOf, localOf, textOfLocal } from "./range";

test("a length of time ends now", () => {
  const now = Date.now() / 1000;
  expect(boundOf("15m")).toBeCloseTo(now - 900, -1);
  expect(boundOf("24h")).toBeCloseTo(now - 86_400, -1);
});

test("a time comes back from the field as it went in, wherever the reader is", () => {
  expect(textOfLocal(localOf("2026-01-31T12:34Z"))).toBe("2026-01-31T12:34Z");
  expect(boundOf("2026-01-31T12:34Z")).toBe(Date.UTC(2026, 0, 31, 12, 34) / 1000);
});

test.each(["", "soon", "15", "m", "999999m"])("%j is no bound", (text) => {
  expect(boundOf(text)).toBeNull();
  expect(localOf(text)).toBe("");
  expect(textOfLocal(text)).toBe("");
});
