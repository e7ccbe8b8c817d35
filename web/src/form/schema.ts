/** What a JSON Schema means for a form. */

import type { JsonSchema } from "../api/types";

export type Shape =
  | {
      readonly kind: "number";
      readonly integer: boolean;
      readonly schema: JsonSchema;
      readonly optional: boolean;
    }
  | { readonly kind: "text"; readonly schema: JsonSchema; readonly optional: boolean }
  | { readonly kind: "flag" }
  | { readonly kind: "choice"; readonly choices: readonly string[]; readonly optional: boolean }
  | { readonly kind: "list"; readonly items: JsonSchema; readonly schema: JsonSchema }
  | { readonly kind: "object"; readonly properties: Readonly<Record<string, JsonSchema>> };

/** The shape of a value; `root` is where references lead. An optional value may be null. */
export function shapeOf(given: JsonSchema, root: JsonSchema): Shape {
  const { schema, optional } = resolve(given, root);
  if (schema.enum !== undefined) return { kind: "choice", choices: schema.enum.map(String), optional };
  switch (schema.type) {
    case "integer":
    case "number":
      return { kind: "number", integer: schema.type === "integer", schema, optional };
    case "boolean":
      return { kind: "flag" };
    case "array":
      return { kind: "list", items: schema.items ?? {}, schema };
    case "object":
      return { kind: "object", properties: schema.properties ?? {} };
    default:
      return { kind: "text", schema, optional };
  }
}

function resolve(
  given: JsonSchema,
  root: JsonSchema,
): { readonly schema: JsonSchema; readonly optional: boolean } {
  const named = given.$ref === undefined ? given : (root.$defs?.[given.$ref.replace("#/$defs/", "")] ?? {});
  if (named.anyOf === undefined) return { schema: named, optional: false };
  const choices = named.anyOf.filter((each) => each.type !== "null");
  const chosen = resolve(choices[0] ?? {}, root).schema;
  return { schema: chosen, optional: choices.length < named.anyOf.length };
}

/** What a new entry of a list starts with. */
export function defaultOf(schema: JsonSchema, root: JsonSchema): unknown {
  if (schema.default !== undefined) return schema.default;
  const shape = shapeOf(schema, root);
  switch (shape.kind) {
    case "number":
      return shape.optional ? null : Math.max(1, shape.schema.minimum ?? 1);
    case "text":
      return shape.optional ? null : "";
    case "flag":
      return false;
    case "choice":
      return shape.optional ? null : (shape.choices[0] ?? "");
    case "list":
      return [];
    case "object":
      return Object.fromEntries(
        Object.entries(shape.properties).map(([name, each]) => [name, defaultOf(each, root)]),
      );
  }
}

/** The bounds of a value in words; null where there are none. */
export function boundsText(shape: Shape): string | null {
  if (shape.kind === "number") {
    const { minimum, maximum } = shape.schema;
    if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
    if (minimum !== undefined) return `at least ${minimum}`;
    return maximum === undefined ? null : `at most ${maximum}`;
  }
  if (shape.kind === "text" && shape.schema.maxLength !== undefined) {
    return `${shape.schema.minLength ?? 0} to ${shape.schema.maxLength} characters`;
  }
  return null;
}
