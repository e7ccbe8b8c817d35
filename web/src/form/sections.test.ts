import { expect, test } from "vitest";
import type { JsonSchema } from "../api/types";
import { draftOf, valueOf } from "./draft";
import { unusedSections, without } from "./sections";

const KINDS = { type: "string", enum: ["simulated", "http", "sql"] } as const;
const SCHEMA: JsonSchema = {
  type: "object",
  $defs: {
    Http: { type: "object", properties: { url: { type: "string" } } },
    Sql: { type: "object", properties: { rows: { type: "integer" } } },
    Item: {
      type: "object",
      properties: { operation: { anyOf: [KINDS, { type: "null" }], default: null } },
    },
  },
  properties: {
    operation: KINDS,
    http: { anyOf: [{ $ref: "#/$defs/Http" }, { type: "null" }], default: null },
    sql: { anyOf: [{ $ref: "#/$defs/Sql" }, { type: "null" }], default: null },
    operations: { type: "array", items: { $ref: "#/$defs/Item" } },
  },
};

const unused = (value: unknown) => [...unusedSections(SCHEMA, draftOf(value, SCHEMA, SCHEMA))];

test.each([
  ["nothing real", { operation: "simulated", operations: [] }, ["http", "sql"]],
  ["http for all", { operation: "http", operations: [] }, ["sql"]],
  ["sql for one of a list", { operation: "http", operations: [{ operation: "sql" }] }, []],
])("with %s, the other sections are unused", (_, value, names) => {
  expect(unused(value)).toEqual(names);
});

test("a workflow without a choice has no sections", () => {
  const schema: JsonSchema = { type: "object", properties: { http: { type: "string" } } };
  expect([...unusedSections(schema, draftOf({ http: "a" }, schema, schema))]).toEqual([]);
});

test("what is unused is not sent", () => {
  const draft = draftOf({ operation: "sql", sql: { rows: 3 }, operations: [] }, SCHEMA, SCHEMA);
  const sent = valueOf(without(draft, unusedSections(SCHEMA, draft)), SCHEMA, SCHEMA);
  expect(sent).toEqual({ operation: "sql", sql: { rows: 3 }, operations: [] });
});
