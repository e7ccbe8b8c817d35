import { describe, expect, it } from "vitest";
import type { Span } from "../api/types";
import { RETRY, span } from "./fixtures";
import { buildTree, type SpanNode } from "./lanes";
import { COLLAPSED, EXPANDED, flatten, revealed, toggled } from "./rows";

const ids = (rows: { node: SpanNode }[]) => rows.map((row) => row.node.span.id);

describe("flatten", () => {
  it("gives a row per span with level, position and size of its set", () => {
    const rows = flatten(buildTree(RETRY), EXPANDED);
    expect(ids(rows)).toEqual(["w", "r", "a1", "b1", "a2"]);
    expect(rows.map((row) => row.level)).toEqual([1, 2, 3, 3, 3]);
    expect(rows.map((row) => [row.position, row.setSize])).toEqual([
      [1, 1],
      [1, 1],
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    expect(rows.map((row) => row.expanded)).toEqual([true, true, null, null, null]);
    expect(rows[4]?.parentId).toBe("r");
  });

  it("keeps one row per operation when all is collapsed", () => {
    expect(ids(flatten(buildTree(RETRY), COLLAPSED))).toEqual(["w", "r"]);
  });

  it("opens and closes single rows against the rule", () => {
    const tree = buildTree(RETRY);
    expect(ids(flatten(tree, toggled(COLLAPSED, "r")))).toEqual(["w", "r", "a1", "b1", "a2"]);
    expect(ids(flatten(tree, toggled(EXPANDED, "w")))).toEqual(["w"]);
    expect(toggled(toggled(EXPANDED, "w"), "w")).toEqual(EXPANDED);
  });

  it("opens what leads to a span, and leaves the rest as it is", () => {
    const tree = buildTree([
      ...RETRY,
      span({ id: "x", parent: "w", start: 101 }),
      span({ id: "y", parent: "x" }),
    ]);
    const nodes = new Map<string, SpanNode>();
    for (const row of flatten(tree, EXPANDED)) nodes.set(row.node.span.id, row.node);
    expect(ids(flatten(tree, revealed(COLLAPSED, nodes, "y")))).toEqual(["w", "r", "x", "y"]);
  });

  it("stands a trace that is thousands of spans deep", () => {
    const deep: Span[] = Array.from({ length: 20_000 }, (_, index) =>
      span({ id: String(index), parent: index === 0 ? null : String(index - 1) }),
    );
    expect(flatten(buildTree(deep), EXPANDED).at(-1)?.level).toBe(20_000);
  });
});
