import { describe, expect, it } from "vitest";
import { RETRY, span } from "./fixtures";
import { commandOf, typeAheadTarget, TypeAhead } from "./keys";
import { buildTree } from "./lanes";
import { EXPANDED, flatten } from "./rows";

const press = (key: string, held = {}) => ({ key, ctrlKey: false, altKey: false, metaKey: false, ...held });

describe("commandOf", () => {
  it("knows the keys of the waterfall", () => {
    expect(
      ["ArrowDown", "Home", "Enter", "/", "e", "z", "0", "?"].map((key) => commandOf(press(key))),
    ).toEqual(["down", "first", "details", "search", "nextError", "zoom", "resetZoom", "help"]);
  });

  it("leaves the browser's own keys alone", () => {
    expect(commandOf(press("e", { ctrlKey: true }))).toBeNull();
    expect(commandOf(press("ArrowLeft", { altKey: true }))).toBeNull();
    expect(commandOf(press("0", { metaKey: true }))).toBeNull();
    expect(commandOf(press("q"))).toBeNull();
  });
});

describe("type-ahead", () => {
  it("collects what is typed without a pause, also letters that are commands", () => {
    const typed = new TypeAhead(1000);
    expect(typed.isOngoing(0)).toBe(false);
    expect(typed.type("t", 0)).toBe("t");
    expect(typed.isOngoing(900)).toBe(true);
    expect(typed.type("e", 900)).toBe("te");
    expect(typed.type("b", 5000)).toBe("b");
  });

  it("finds the next row by name, operation or task, and begins anew at the end", () => {
    const task = span({ id: "t", parent: "w", name: "task risky", task: "Task 4", start: 101 });
    const rows = flatten(buildTree([...RETRY, task]), EXPANDED);
    const at = (current: number, text: string) => {
      const index = typeAheadTarget(rows, current, text);
      return index === null ? null : rows[index]?.node.span.id;
    };
    expect(at(0, "b")).toBe("b1");
    expect(at(2, "a")).toBe("a2");
    expect(at(4, "a")).toBe("a1");
    expect(at(0, "attempt call #2")).toBe("a2");
    expect(at(0, "task 4")).toBe("t");
    expect(at(0, "call")).toBe("r");
    expect(at(0, "nothing")).toBeNull();
    expect(typeAheadTarget([], 0, "a")).toBeNull();
  });
});
