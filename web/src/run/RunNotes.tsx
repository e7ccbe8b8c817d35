import type { ReactNode } from "react";
import type { Span } from "../api/types";
import { Link, runPath } from "../router";
import type { Trace } from "../store";
import { ErrorNote } from "../ui";
import type { RunAddress } from "./address";
import type { RunFacts } from "./facts";
import type { KnownRecord } from "./record";

interface RunNotesProps {
  address: RunAddress;
  known: KnownRecord;
  /** Nobody knows any more what an inline run was started with. */
  forgotten: boolean;
  facts: RunFacts;
  trace: Trace;
  traceId: string | null;
  spans: readonly Span[];
}

/** What a reader must know about why there is less to see than expected. */
export function RunNotes({ address, known, forgotten, facts, trace, traceId, spans }: RunNotesProps) {
  return (
    <>
      <ErrorNote message={known.error ?? (trace.state === "failed" ? trace.error : null)} />
      {known.missing && traceId === null && (
        <Note>
          There is no run <code>{address.id}</code> here. It may be an old one that the engine no longer
          keeps, or the address is wrong. <Link href="/runs">All runs</Link>
        </Note>
      )}
      {facts.status === "queued" && (
        <Note>Queued: the run waits for a worker, and shows here once it has one.</Note>
      )}
      {address.kind === "inline" && !facts.ended && (
        <Note>This run belongs to a request: to cancel it, its client has to disconnect.</Note>
      )}
      {forgotten && <Note>What this run was started with is no longer known: it can't be run again.</Note>}
      {address.kind === "inline" &&
        trace.state === "ready" &&
        !spans.some((span) => span.id === address.spanId) && (
          <Note>The run's own span is not (or no longer) in this trace.</Note>
        )}
      {address.kind === "trace" && <RunsOfTrace spans={spans} traceId={address.traceId} />}
      {traceId !== null && trace.state === "missing" && (
        <MissingTrace worker={known.record?.worker ?? null} />
      )}
      {trace.state === "loading" && traceId !== null && <p className="dim">Loading the trace…</p>}
    </>
  );
}

function MissingTrace({ worker }: { worker: string | null }) {
  return (
    <Note>
      This process does not have the trace: only its own last traces are kept, and older ones make room for
      newer ones.
      {worker && ` The run was at worker ${worker}, which may be another process.`} A collector, if there is
      one, has it.
    </Note>
  );
}

function RunsOfTrace({ spans, traceId }: { spans: readonly Span[]; traceId: string }) {
  const runs = spans.filter((span) => span.kind === "workflow").slice(0, 10);
  if (runs.length === 0) return null;
  return (
    <p className="run-note">
      Runs in this trace:{" "}
      {runs.map((span) => {
        const runId = span.attributes["retryscope.run.id"];
        const path = runPath(typeof runId === "string" ? runId : `${traceId}-${span.id}`);
        return (
          <Link key={span.id} href={path}>
            {span.name}
          </Link>
        );
      })}
    </p>
  );
}

function Note({ children }: { children: ReactNode }) {
  return <p className="run-note">{children}</p>;
}
