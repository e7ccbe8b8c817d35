import { useState } from "react";
import { errorText } from "../api/client";
import { cancelRun, startRun } from "../api/runs";
import type { RunInput, RunRecord } from "../api/types";
import { navigate, runPath } from "../router";
import { TaskChips } from "../runs/TaskChips";
import { failuresText, shownStatus, totalTasks } from "../runs/tasks";
import { watchRun } from "../store";
import { Button, ErrorNote, StatusChip } from "../ui";
import type { RunFacts } from "./facts";

interface RunHeaderProps {
  title: string;
  facts: RunFacts;
  /** Only a background run can be cancelled from here. */
  record: RunRecord | null;
  /** What running it again would start. */
  input: RunInput | null;
  onRecord: (record: RunRecord) => void;
}

/** The run's name and state, and what can be done with it. */
export function RunHeader({ title, facts, record, input, onRecord }: RunHeaderProps) {
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const command = async (send: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await send();
    } catch (reason) {
      setError(errorText(reason));
    } finally {
      setBusy(false);
    }
  };
  const cancel = (id: string) => command(async () => onRecord(await cancelRun(id)));
  const again = ({ workflow, params }: RunInput) =>
    command(async () => {
      const started = await startRun(workflow, params);
      watchRun(started.id);
      navigate(runPath(started.id));
    });
  return (
    <header className="run-header">
      <h1 tabIndex={-1}>{title}</h1>
      {facts.status !== "unknown" && (
        <span data-testid="run-status">
          <StatusChip
            status={shownStatus(facts.status, facts.tasks)}
            more={facts.ended ? failuresText(facts.tasks) : null}
          />
        </span>
      )}
      {facts.tasks && totalTasks(facts.tasks) > 1 && (
        <span className="run-counts" data-testid="run-counts">
          <TaskChips tasks={facts.tasks} />
        </span>
      )}
      {input && (
        <div className="run-actions">
          {record && <CancelButton facts={facts} busy={busy} onCancel={() => void cancel(record.id)} />}
          <Button isDisabled={busy} onPress={() => void again(input)}>
            Run again
          </Button>
          <Button onPress={() => navigate(formPath(input))}>Edit and run again</Button>
        </div>
      )}
      <ErrorNote message={error} />
    </header>
  );
}

/** The start form, filled in with what this run was started with. */
function formPath({ workflow, params }: RunInput): string {
  return `/?${new URLSearchParams({ workflow, params: JSON.stringify(params) })}`;
}

function CancelButton({ facts, busy, onCancel }: { facts: RunFacts; busy: boolean; onCancel: () => void }) {
  const [focused, setFocused] = useState(false);
  const cancelling = facts.status === "cancelling";
  // A button that is disabled loses the focus; who holds it is told by the service that the run has ended.
  const disabled = !focused && (facts.ended || cancelling);
  return (
    <Button
      look="danger"
      isDisabled={disabled}
      onFocusChange={setFocused}
      onPress={() => !busy && onCancel()}
    >
      {cancelling ? "Cancelling…" : "Cancel run"}
    </Button>
  );
}
