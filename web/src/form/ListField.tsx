import { useId, useRef } from "react";
import { humanize } from "../format";
import { Button } from "../ui";
import { type Draft, draftOf, listItem } from "./draft";
import { SchemaField, type SchemaFieldProps } from "./SchemaField";
import { defaultOf, type Shape } from "./schema";

interface Props extends SchemaFieldProps {
  readonly shape: Extract<Shape, { kind: "list" }>;
  readonly draft: Extract<Draft, { kind: "list" }>;
}

/** A list whose entries can be changed, added and removed, within its bounds. */
export function ListField({ name, path, schema, root, shape, draft, errors, onChange }: Props) {
  const id = useId();
  const addButton = useRef<HTMLButtonElement>(null);
  const { minItems = 0, maxItems = Infinity } = shape.schema;
  const { items } = draft;
  const error = errors.get(path);
  const singular = humanize(name).replace(/s$/, "");
  const described = [schema.description && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const change = (next: typeof items, changed: string): void =>
    onChange({ kind: "list", items: next }, changed);

  const remove = (index: number): void => {
    change(items.toSpliced(index, 1), path);
    addButton.current?.focus(); // the pressed button is gone
  };

  return (
    <fieldset className="list-field" aria-describedby={described || undefined}>
      <legend>{humanize(name)}</legend>
      {schema.description && (
        <div id={`${id}-hint`} className="field-hint">
          {schema.description}
        </div>
      )}
      {items.map((item, index) => (
        <div key={item.key} className="list-item">
          <SchemaField
            name={`${singular} ${index + 1}`}
            path={`${path}.${index}`}
            schema={shape.items}
            root={root}
            draft={item.draft}
            errors={errors}
            onChange={(next, changed) => change(items.with(index, { ...item, draft: next }), changed)}
          />
          <Button
            look="quiet"
            aria-label={`Remove ${singular.toLowerCase()} ${index + 1}`}
            isDisabled={items.length <= minItems}
            onPress={() => remove(index)}
          >
            Remove
          </Button>
        </div>
      ))}
      {error && (
        <div id={`${id}-error`} className="field-error">
          <span aria-hidden="true">✕ </span>
          {error}
        </div>
      )}
      <div>
        <Button
          ref={addButton}
          look="quiet"
          isDisabled={items.length >= maxItems}
          onPress={() =>
            change([...items, listItem(draftOf(defaultOf(shape.items, root), shape.items, root))], path)
          }
        >
          Add {singular.toLowerCase()}
        </Button>
      </div>
    </fieldset>
  );
}
