import type { RunInput as Input, RunRecord } from "../api/types";
import { CopyButton, Panel } from "../ui";

/** What a run was asked to do, and what came out, which only the record of a background run says. */
export function RunInput({ input, record }: { input: Input; record: RunRecord | null }) {
  const { result, error } = record ?? {};
  return (
    <div className="run-input">
      <Document title="Parameters" value={input.params} />
      {result && <Document title="Result" value={result} />}
      {error && <Document title="Error" value={error} />}
    </div>
  );
}

function Document({ title, value }: { title: string; value: unknown }) {
  const text = JSON.stringify(value, null, 2);
  return (
    <Panel title={title} aside={<CopyButton label="Copy" description={`Copy: ${title}`} text={() => text} />}>
      <pre className="run-json" tabIndex={0} aria-label={`${title} as JSON`}>
        {text}
      </pre>
    </Panel>
  );
}
