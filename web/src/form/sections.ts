/** Parameters of one kind of operation, which are shown and sent where that kind is chosen. */

import type { JsonSchema } from "../api/types";
import type { Draft } from "./draft";
import { shapeOf } from "./schema";

const CHOICE = "operation";

/** Names of the parameters that nobody would read: sections of kinds that are chosen nowhere. */
export function unusedSections(schema: JsonSchema, draft: Draft): ReadonlySet<string> {
  const properties = schema.properties ?? {};
  const shape = shapeOf(properties[CHOICE] ?? {}, schema);
  if (shape.kind !== "choice") return new Set();
  const used = chosen(draft);
  return new Set(shape.choices.filter((each) => each in properties && !used.has(each)));
}

/** What is chosen, for the whole or for an entry of a list. */
function chosen(draft: Draft): ReadonlySet<string> {
  if (draft.kind === "list") return new Set(draft.items.flatMap((item) => [...chosen(item.draft)]));
  if (draft.kind !== "object") return new Set();
  const own = draft.fields[CHOICE];
  const below = Object.values(draft.fields).flatMap((each) => [...chosen(each)]);
  return new Set(own?.kind === "text" ? [own.text, ...below] : below);
}

/** The draft without some of its fields. */
export function without(draft: Draft, names: ReadonlySet<string>): Draft {
  if (draft.kind !== "object") return draft;
  const kept = Object.entries(draft.fields).filter(([name]) => !names.has(name));
  return { kind: "object", fields: Object.fromEntries(kept) };
}
