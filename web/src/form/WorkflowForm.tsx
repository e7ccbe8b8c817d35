import { type SyntheticEvent, useRef, useState } from "react";
import { ApiError, errorText } from "../api/client";
import { addressFor } from "../api/root";
import { startRun } from "../api/runs";
import { currentToken } from "../api/token";
import type { Workflow } from "../api/types";
import { navigate, runPath } from "../router";
import { watchRun } from "../store";
import { Button, CopyButton, ErrorNote } from "../ui";
import { curlCommand } from "./curl";
import { type Draft, draftOf, valueOf } from "./draft";
import { SchemaField } from "./SchemaField";
import { unusedSections, without } from "./sections";
import "./form.css";

interface Props {
  readonly workflow: Workflow;
  /** Instead of the defaults, for example those of an earlier run. */
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  /** Parameters that come last, because every workflow has them. */
  readonly shared: ReadonlySet<string>;
}

const NO_ERRORS: ReadonlyMap<string, string> = new Map();

/** Starts a workflow with parameters of one's own, and goes to the run. */
export function WorkflowForm({ workflow, params, shared }: Props) {
  const { schema } = workflow;
  const initial = (): Draft => draftOf({ ...workflow.defaults, ...params }, schema, schema);
  const [draft, setDraft] = useState(initial);
  const [errors, setErrors] = useState(NO_ERRORS);
  const [failure, setFailure] = useState<string | null>(null);
  const [starting, setStarting] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  if (draft.kind !== "object") return null;
  const used = without(draft, unusedSections(schema, draft));
  const all = used.kind === "object" ? Object.keys(used.fields) : [];
  const names = [...all.filter((name) => !shared.has(name)), ...all.filter((name) => shared.has(name))];

  const change = (name: string, next: Draft, path: string): void => {
    setDraft({ kind: "object", fields: { ...draft.fields, [name]: next } });
    // After an entry came or went, those behind it have other paths.
    if (errors.size > 0) setErrors(new Map([...errors].filter(([each]) => !each.startsWith(path))));
  };

  const refuse = (error: unknown): void => {
    const fields = error instanceof ApiError ? error.fields : [];
    const shown = new Map(fields.map(({ field, message }) => [field, message]));
    const elsewhere = fields.filter(({ field }) => !names.includes(field.split(".")[0] ?? ""));
    setErrors(shown);
    setFailure(fields.length > 0 && elsewhere.length === 0 ? null : errorText(error));
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  };

  const submit = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    if (starting) return;
    setStarting(true);
    setFailure(null);
    try {
      const run = await startRun(workflow.name, valueOf(used, schema, schema));
      watchRun(run.id);
      navigate(runPath(run.id));
    } catch (error) {
      refuse(error);
    }
    setStarting(false);
  };

  return (
    <form
      ref={form}
      className="workflow-form"
      onSubmit={submit}
      noValidate
      aria-label={`Start ${workflow.name}`}
    >
      <p className="dim">{workflow.summary}</p>
      <div className="form-fields">
        {names.map((name) => (
          <SchemaField
            key={name}
            name={name}
            path={name}
            schema={schema.properties?.[name] ?? {}}
            root={schema}
            draft={draft.fields[name] as Draft}
            errors={errors}
            onChange={(next, path) => change(name, next, path)}
          />
        ))}
      </div>
      <ErrorNote message={failure} />
      <div className="form-actions">
        <Button type="submit" look="primary">
          Run {workflow.name}
        </Button>
        <Button
          onPress={() => {
            setDraft(draftOf(workflow.defaults, schema, schema));
            setErrors(NO_ERRORS);
            setFailure(null);
          }}
        >
          Defaults
        </Button>
        <CopyButton
          label="Copy as curl"
          text={() =>
            curlCommand(
              location.origin + addressFor(""),
              workflow.name,
              valueOf(used, schema, schema),
              currentToken() !== null,
            )
          }
        />
      </div>
    </form>
  );
}
