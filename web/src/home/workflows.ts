import { useEffect, useState } from "react";
import { apiGet, errorText } from "../api/client";
import type { Workflow } from "../api/types";
import { useConnection } from "../store";

export interface WorkflowsState {
  readonly workflows: readonly Workflow[] | null;
  readonly error: string | null;
}

/** What can be run; asked for again when the service comes back. */
export function useWorkflows(): WorkflowsState {
  const [state, setState] = useState<WorkflowsState>({ workflows: null, error: null });
  const connection = useConnection();
  useEffect(() => {
    const abort = new AbortController();
    apiGet<{ workflows: readonly Workflow[] }>("/workflows", abort.signal).then(
      ({ workflows }) =>
        setState((before) => ({ workflows: same(before.workflows, workflows), error: null })),
      (error: unknown) => {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error: errorText(error) }));
      },
    );
    return () => abort.abort();
  }, [connection]);
  return state;
}

/** The objects that are shown already, if they say the same: a form must not be reset while it is filled in. */
function same(before: readonly Workflow[] | null, after: readonly Workflow[]): readonly Workflow[] {
  return before !== null && JSON.stringify(before) === JSON.stringify(after) ? before : after;
}

/** Names of the parameters that all of them have. */
export function sharedParameters(workflows: readonly Workflow[]): ReadonlySet<string> {
  const [first, ...others] = workflows.map((each) => new Set(Object.keys(each.schema.properties ?? {})));
  if (first === undefined || others.length === 0) return new Set();
  return new Set([...first].filter((name) => others.every((other) => other.has(name))));
}
