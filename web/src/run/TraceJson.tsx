import { useEffect, useState } from "react";
import { apiGet, errorText } from "../api/client";
import { addressFor } from "../api/root";
import { currentToken } from "../api/token";
import { Button, CopyButton, ErrorNote } from "../ui";
import { downloadText } from "../ui/download";

/** More text than this makes a browser slow; the file has all of it. */
const MAX_SHOWN = 200_000;

/** The trace as the service answers it to everybody: OTLP JSON. */
export function TraceJson({ traceId }: { traceId: string }) {
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [version, setVersion] = useState(0);
  const path = `/traces/${traceId}`;
  const address = addressFor(path);
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
        {/* A link carries no token: where the service wants one, it would lead to a refusal. */}
        {currentToken() === null ? <a href={address}>{address}</a> : <code>{address}</code>}{" "}
        <Button look="quiet" onPress={() => setVersion(version + 1)}>
          Load again
        </Button>
        {text !== null && (
          <>
            <CopyButton label="Copy" description="Copy the JSON" text={() => text} />
            <Button
              look="quiet"
              aria-label="Download the JSON"
              onPress={() => downloadText(`trace-${traceId}.json`, text, "application/json")}
            >
              Download
            </Button>
          </>
        )}
      </p>
      <ErrorNote message={error} />
      {text === null && error === null && <p className="dim">Loading…</p>}
      {text !== null && (
        <pre className="run-json" tabIndex={0} aria-label="OTLP JSON">
          {text.slice(0, MAX_SHOWN)}
          {text.length > MAX_SHOWN && "\n… the rest is in the file to download."}
        </pre>
      )}
    </>
  );
}
