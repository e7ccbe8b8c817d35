import type { JsonSchema } from "../api/types";
import { humanize } from "../format";
import { Field } from "../ui";
import { type Draft, textProblem } from "./draft";
import { ListField } from "./ListField";
import { boundsText, type Shape, shapeOf } from "./schema";

export interface SchemaFieldProps {
  readonly name: string;
  /** As the service names the field in an error: `operations.0.timeout`. */
  readonly path: string;
  readonly schema: JsonSchema;
  readonly root: JsonSchema;
  readonly draft: Draft;
  /** By path. */
  readonly errors: ReadonlyMap<string, string>;
  readonly onChange: (draft: Draft, path: string) => void;
}

/** The input for one value of a workflow's parameters. */
export function SchemaField(props: SchemaFieldProps) {
  const { name, path, schema, root, draft, errors, onChange } = props;
  const shape = shapeOf(schema, root);
  if (shape.kind === "list" && draft.kind === "list") {
    return <ListField {...props} shape={shape} draft={draft} />;
  }
  if (shape.kind === "object" && draft.kind === "object") {
    return (
      <fieldset className="object-field">
        <legend>{humanize(name)}</legend>
        {Object.entries(shape.properties).map(([key, each]) => (
          <SchemaField
            {...props}
            key={key}
            name={key}
            path={`${path}.${key}`}
            schema={each}
            draft={draft.fields[key] ?? { kind: "text", text: "" }}
            onChange={(next, changed) =>
              onChange({ kind: "object", fields: { ...draft.fields, [key]: next } }, changed)
            }
          />
        ))}
      </fieldset>
    );
  }
  if (draft.kind === "flag") {
    return (
      <label className="flag-field">
        <input
          type="checkbox"
          name={path}
          checked={draft.on}
          onChange={(event) => onChange({ kind: "flag", on: event.target.checked }, path)}
        />{" "}
        {humanize(name)}
      </label>
    );
  }
  if (draft.kind !== "text") return null;
  const error = errors.get(path) ?? textProblem(draft.text, shape) ?? undefined;
  return (
    <Field label={humanize(name)} hint={hintOf(schema, shape)} error={error}>
      {(control) =>
        shape.kind === "choice" ? (
          <select
            {...control}
            name={path}
            value={draft.text}
            onChange={(event) => onChange({ kind: "text", text: event.target.value }, path)}
          >
            {shape.optional && <option value="">–</option>}
            {shape.choices.map((choice) => (
              <option key={choice}>{choice}</option>
            ))}
          </select>
        ) : (
          <input
            {...control}
            name={path}
            type="text"
            inputMode={shape.kind === "number" ? "decimal" : "text"}
            autoComplete="off"
            spellCheck={false}
            placeholder={"optional" in shape && shape.optional ? "not set" : undefined}
            value={draft.text}
            onChange={(event) => onChange({ kind: "text", text: event.target.value }, path)}
          />
        )
      }
    </Field>
  );
}

function hintOf(schema: JsonSchema, shape: Shape): string | undefined {
  const bounds = boundsText(shape);
  return (
    [schema.description, bounds && `From ${bounds}.`.replace("From at", "At")].filter(Boolean).join(" ") ||
    undefined
  );
}
