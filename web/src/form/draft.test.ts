import { expect, test } from "vitest";
import type { JsonSchema } from "../api/types";
import { type Draft, draftOf, textProblem, valueOf } from "./draft";
import { defaultOf, shapeOf } from "./schema";

const SCHEMA: JsonSchema = {
  type: "object",
  $defs: {
    Operation: {
      type: "object",
      properties: {
        name: { type: "string", minLength: 1, maxLength: 5 },
        timeout: { type: "number", minimum: 0.001, maximum: 3600 },
      },
    },
  },
  properties: {
    seed: { anyOf: [{ type: "integer", minimum: 0 }, { type: "null" }], default: null },
    rate: { type: "number", minimum: 0, maximum: 1 },
    jitter: { type: "string", enum: ["full", "none"] },
    durations: { type: "array", items: { type: "number" } },
    operations: { type: "array", items: { $ref: "#/$defs/Operation" } },
    loud: { type: "boolean" },
  },
};
const VALUE = {
  seed: null,
  rate: 0.3,
  jitter: "none",
  durations: [3, 0.5],
  operations: [{ name: "a", timeout: 2 }],
  loud: true,
};

const shapeOfField = (name: string) => shapeOf(SCHEMA.properties?.[name] ?? {}, SCHEMA);

function withText(name: string, text: string): unknown {
  const draft = draftOf(VALUE, SCHEMA, SCHEMA);
  if (draft.kind !== "object") throw new Error("no object");
  const changed: Draft = { kind: "object", fields: { ...draft.fields, [name]: { kind: "text", text } } };
  return (valueOf(changed, SCHEMA, SCHEMA) as Record<string, unknown>)[name];
}

test("a form that is not touched sends the values that it shows", () => {
  expect(valueOf(draftOf(VALUE, SCHEMA, SCHEMA), SCHEMA, SCHEMA)).toEqual(VALUE);
});

test.each([
  ["seed", "", null],
  ["seed", "12", 12],
  ["rate", "0.25", 0.25],
  ["rate", "1e-3", 0.001],
  ["rate", "", ""],
  ["rate", "0x10", "0x10"],
  ["rate", "abc", "abc"],
  ["jitter", "full", "full"],
])("%s typed as %j is sent as %j", (name, text, sent) => {
  expect(withText(name, text)).toBe(sent);
});

test.each([
  ["seed", "", null],
  ["seed", "1.5", "It takes a whole number."],
  ["rate", "0.5", null],
  ["rate", "2", "It takes 0 to 1."],
  ["rate", "", "It takes a number."],
])("%s typed as %j: %j", (name, text, problem) => {
  expect(textProblem(text, shapeOfField(name))).toBe(problem);
});

test("a new entry of a list has a value for each of its fields", () => {
  const shape = shapeOfField("operations");
  expect(shape.kind === "list" && defaultOf(shape.items, SCHEMA)).toEqual({ name: "", timeout: 1 });
});
