import { memo } from "react";
import { plural } from "../format";
import { Link, runPath } from "../router";
import { StatusChip } from "../ui";
import { Ago } from "./Ago";
import { TaskChips } from "./TaskChips";
import { errorText, failedTasks, shownStatus, totalTasks } from "./tasks";
import { CancelButton } from "./CancelButton";
import { Elapsed } from "./Elapsed";
import type { RunRowData } from "./row";

/** One run in a list: all of it in words. */
export const RunRow = memo(function RunRow({
  row,
  cancel,
}: {
  readonly row: RunRowData;
  readonly cancel: boolean;
}) {
  const { id, kind, workflow, startedAt, endedAt, tasks, error } = row;
  return (
    <li className="run-row" data-run={id}>
      <StatusChip status={shownStatus(row.status, tasks)} />
      <Link href={runPath(id)} className="run-link">
        {workflow} <code>{id.slice(0, 8)}</code>
      </Link>
      <span className="run-row-facts dim">
        {tasks && <TaskChips tasks={tasks} short />}
        <span>{factsOf(row)}</span>
        {error && (
          <span className="run-error" title={errorText(error)}>
            {errorText(error)}
          </span>
        )}
      </span>
      <span className="number">
        {row.status === "queued" ? "waiting" : <Elapsed from={startedAt} to={endedAt} />}
      </span>
      <Ago time={startedAt} className="run-time dim" />
      {cancel &&
        (kind === "background" ? (
          <CancelButton run={row} />
        ) : (
          <span className="cancel dim">in a request</span>
        ))}
    </li>
  );
});

function factsOf({ kind, counts, tasks, cancelCause }: RunRowData): string {
  const facts: string[] = [];
  if (failedTasks(tasks) > 0) facts.push(`of ${plural(totalTasks(tasks), "task")}`);
  facts.push(kind);
  if (counts !== null) {
    if (counts.attempts > 0) facts.push(plural(counts.attempts, "attempt"));
    if (counts.retries > 0) facts.push(plural(counts.retries, "retry", "retries"));
  }
  if (cancelCause !== null) facts.push(`cancelled by ${cancelCause.replaceAll("_", " ")}`);
  return facts.join(" · ");
}
