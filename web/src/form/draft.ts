/** What is being typed: text until it is sent, so that nothing is changed behind the reader's back. */

import type { JsonSchema } from "../api/types";
import { boundsText, type Shape, shapeOf } from "./schema";

export interface ListItem {
  /** For React, stable while items come and go. */
  readonly key: number;
  readonly draft: Draft;
}

export type Draft =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "flag"; readonly on: boolean }
  | { readonly kind: "list"; readonly items: readonly ListItem[] }
  | { readonly kind: "object"; readonly fields: Readonly<Record<string, Draft>> };

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

let lastKey = 0;

export const listItem = (draft: Draft): ListItem => ({ key: ++lastKey, draft });

export function draftOf(value: unknown, schema: JsonSchema, root: JsonSchema): Draft {
  const shape = shapeOf(schema, root);
  switch (shape.kind) {
    case "flag":
      return { kind: "flag", on: value === true };
    case "list": {
      const values: readonly unknown[] = Array.isArray(value) ? value : [];
      return { kind: "list", items: values.map((each) => listItem(draftOf(each, shape.items, root))) };
    }
    case "object": {
      const given = (value ?? {}) as Record<string, unknown>;
      const fields = Object.entries(shape.properties).map(
        ([name, each]) => [name, draftOf(given[name] ?? each.default, each, root)] as const,
      );
      return { kind: "object", fields: Object.fromEntries(fields) };
    }
    default:
      return { kind: "text", text: textOf(value) };
  }
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What is sent. A number that is none is sent as the text it is: the service says what is wrong with it. */
export function valueOf(draft: Draft, schema: JsonSchema, root: JsonSchema): unknown {
  const shape = shapeOf(schema, root);
  if (draft.kind === "flag") return draft.on;
  if (draft.kind === "text") return valueOfText(draft.text, shape);
  if (draft.kind === "list") {
    const items = shape.kind === "list" ? shape.items : {};
    return draft.items.map((item) => valueOf(item.draft, items, root));
  }
  const properties = shape.kind === "object" ? shape.properties : {};
  return Object.fromEntries(
    Object.entries(draft.fields).map(([name, each]) => [name, valueOf(each, properties[name] ?? {}, root)]),
  );
}

function valueOfText(text: string, shape: Shape): unknown {
  const optional = "optional" in shape && shape.optional;
  if (optional && text.trim() === "") return null;
  return shape.kind === "number" && isNumber(text) ? Number(text) : text;
}

const isNumber = (text: string): boolean => NUMBER.test(text.trim()) && Number.isFinite(Number(text));

/** What the page itself can say about a text; the service has the last word. */
export function textProblem(text: string, shape: Shape): string | null {
  if (shape.kind === "text") {
    const { minLength = 0, maxLength = Infinity } = shape.schema;
    const fits = text.length >= minLength && text.length <= maxLength;
    return fits || (shape.optional && text === "") ? null : `It takes ${boundsText(shape)}.`;
  }
  if (shape.kind !== "number" || (shape.optional && text.trim() === "")) return null;
  if (!isNumber(text)) return shape.integer ? "It takes a whole number." : "It takes a number.";
  const value = Number(text);
  if (shape.integer && !Number.isInteger(value)) return "It takes a whole number.";
  const { minimum = -Infinity, maximum = Infinity } = shape.schema;
  return value >= minimum && value <= maximum ? null : `It takes ${boundsText(shape)}.`;
}
