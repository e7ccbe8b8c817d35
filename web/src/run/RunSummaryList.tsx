import type { ReactNode } from "react";
import type { RunRecord } from "../api/types";
import { formatDuration, formatNumber, formatTime, parseTime, plural } from "../format";
import { Ago } from "../runs/Ago";
import { useLinks } from "../store";
import { CopyButton } from "../ui";
import type { RunFacts } from "./facts";
import { grafanaTrace, traceqlOfTrace } from "./traceql";

interface RunSummaryListProps {
  /** null for a trace that is looked at as such. */
  runId: string | null;
  facts: RunFacts;
  record: RunRecord | null;
  traceId: string | null;
}

/** Times, attempts and identity of a run. */
export function RunSummaryList({ runId, facts, record, traceId }: RunSummaryListProps) {
  const { startedAt, endedAt, delivery } = facts;
  const waited = record?.queue_wait_seconds;
  return (
    <dl className="run-facts">
      {record && startedAt === null && (
        <Fact name="Submitted">{formatTime(parseTime(record.submitted_at))}</Fact>
      )}
      {startedAt !== null && (
        <Fact name="Started">
          {formatTime(startedAt)}, <Ago time={startedAt} />
        </Fact>
      )}
      {endedAt !== null && <Fact name="Ended">{formatTime(endedAt)}</Fact>}
      {startedAt !== null && endedAt !== null && (
        <Fact name="Duration">{formatDuration(endedAt - startedAt)}</Fact>
      )}
      {waited !== undefined && <Fact name="Waited in queue">{formatDuration(waited)}</Fact>}
      <Fact name="Attempts">
        {formatNumber(facts.attempts)}
        {facts.failures > 0 && `, ${facts.failures} failed`}
      </Fact>
      <Fact name="Retries">{formatNumber(facts.retries)}</Fact>
      <Fact name="Lost in backoff">{formatDuration(facts.backoff)}</Fact>
      {facts.cancelCause && <Fact name="Cancelled by">{facts.cancelCause}</Fact>}
      {delivery !== null && (
        <Fact name="Delivery">
          {delivery}
          {record?.handed_back ? `, handed back ${plural(record.handed_back, "time")}` : ""}
        </Fact>
      )}
      {record?.worker && <Fact name="Worker">{record.worker}</Fact>}
      {runId && (
        <Fact name="Run">
          <code>{runId}</code>
          <CopyButton label="Copy" description="Copy the run id" text={() => runId} />
        </Fact>
      )}
      {traceId && <TraceFact traceId={traceId} />}
    </dl>
  );
}

function TraceFact({ traceId }: { traceId: string }) {
  const { grafana } = useLinks();
  return (
    <Fact name="Trace">
      <code>{traceId}</code>
      <CopyButton label="Copy" description="Copy the trace id" text={() => traceId} />
      <CopyButton
        label="Copy TraceQL"
        description="Copy the TraceQL of the trace"
        text={() => traceqlOfTrace(traceId)}
      />
      {grafana && <a href={grafanaTrace(grafana, traceId)}>Open in Grafana</a>}
    </Fact>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
