import { useEffect, useState } from "react";
import { apiGet, errorText } from "../api/client";
import { Button, CopyButton, ErrorNote } from "../ui";

/** More text than this makes a browser slow; the address has all of it. */
const MAX_SHOWN = 200_000;

/** The trace as the service answers it to everybody: OTLP JSON. */
export function TraceJson({ traceId }: { traceId: string }) {
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [version, setVersion] = useState(0);
  const path = `/traces/${traceId}`;
  useEffect(() => {
    const abort = new AbortController();
    apiGet<unknown>(path, abort.signal).then(
      (document) => {
        setText(JSON.stringify(document, null, 2));
        setError(null);
      },
      (reason: unknown) => {
        if (!abort.signal.aborted) setError(errorText(reason));
      },
    );
    return () => abort.abort();
  }, [path, version]);
  return (
    <>
      <p>
        <a href={path}>{path}</a>{" "}
        <Button look="quiet" onPress={() => setVersion(version + 1)}>
          Load again
        </Button>
        {text !== null && <CopyButton label="Copy" description="Copy the JSON" text={() => text} />}
      </p>
      <ErrorNote message={error} />
      {text === null && error === null && <p className="dim">Loading…</p>}
      {text !== null && (
        <pre className="run-json" tabIndex={0} aria-label="OTLP JSON">
          {text.slice(0, MAX_SHOWN)}
          {text.length > MAX_SHOWN && "\n… the rest is at the address above."}
        </pre>
      )}
    </>
  );
}
