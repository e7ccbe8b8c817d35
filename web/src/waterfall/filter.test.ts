import { describe, expect, it } from "vitest";
import { RETRY, span } from "./fixtures";
import { prune, type Filter } from "./filter";
import { buildTree } from "./lanes";
import { EXPANDED, flatten } from "./rows";

const SPANS = [
  ...RETRY,
  span({ id: "t", parent: "w", name: "task risky", task: "Task 4", start: 101, end: 102 }),
  span({ id: "s", parent: "w", name: "retry calm", kind: "retry", start: 103, end: 104 }),
  span({ id: "s1", parent: "s", name: "attempt calm", kind: "attempt", attempt: 1, start: 103, end: 104 }),
];

function shown(filter: Filter): string[] {
  return flatten(prune(buildTree(SPANS), filter), EXPANDED).map((row) => row.node.span.id);
}

describe("prune", () => {
  it("keeps everything when nothing is asked for", () => {
    expect(shown({ only: "all", query: " " })).toHaveLength(SPANS.length);
  });

  it("keeps failed spans and what leads to them", () => {
    expect(shown({ only: "errors", query: "" })).toEqual(["w", "r", "a1"]);
  });

  it("keeps what was tried again, with all its attempts and backoffs", () => {
    expect(shown({ only: "retries", query: "" })).toEqual(["w", "r", "a1", "b1", "a2"]);
  });

  it("keeps the whole lane of a row that lost children", () => {
    const retry = prune(buildTree(SPANS), { only: "errors", query: "" })[0]?.children[0];
    expect(retry?.segments).toHaveLength(3);
  });

  it("finds names, tasks, errors and messages, whatever their case", () => {
    expect(shown({ only: "all", query: "task 4" })).toEqual(["w", "t"]);
    expect(shown({ only: "all", query: "apiunavailable" })).toEqual(["w", "r", "a1"]);
    expect(shown({ only: "all", query: "API UNAVAIL" })).toEqual(["w", "r", "a1"]);
    expect(shown({ only: "errors", query: "task" })).toEqual([]);
  });
});
