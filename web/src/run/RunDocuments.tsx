import type { InlineRun } from "../api/types";
import { plural } from "../format";
import { CopyButton, Panel } from "../ui";

/** What a run was asked to do, and what came out. */
export function RunDocuments({ params, result, error, total_tasks: total }: InlineRun) {
  const kept = result?.tasks?.length ?? 0;
  return (
    <div className="run-input">
      <Document title="Parameters" value={params} />
      {result && (
        <Document
          title="Result"
          value={result}
          note={total === undefined ? null : `Cut: ${kept} of ${plural(total, "task")}; counts are of all.`}
        />
      )}
      {error && <Document title="Error" value={error} />}
    </div>
  );
}

interface DocumentProps {
  readonly title: string;
  readonly value: unknown;
  readonly note?: string | null;
}

function Document({ title, value, note }: DocumentProps) {
  const text = JSON.stringify(value, null, 2);
  return (
    <Panel title={title} aside={<CopyButton label="Copy" description={`Copy: ${title}`} text={() => text} />}>
      {note && <p className="dim">{note}</p>}
      <pre className="run-json" tabIndex={0} aria-label={`${title} as JSON`}>
        {text}
      </pre>
    </Panel>
  );
}
