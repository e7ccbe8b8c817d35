import { useEffect, useState } from "react";
import { Button } from "./Button";
import { copyText } from "./clipboard";

const SHOWN_MS = 2_000;

interface Props {
  readonly label: string;
  /** For screen readers, where the label alone says too little. */
  readonly description?: string;
  /** Made when it is pressed. */
  readonly text: () => string;
}

/** Copies a text, and says so. */
export function CopyButton({ label, description, text }: Props) {
  const [result, setResult] = useState<string | null>(null);
  useEffect(() => {
    if (result === null) return;
    const timer = setTimeout(() => setResult(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [result]);
  const copy = async (): Promise<void> => setResult((await copyText(text())) ? "Copied" : "Not allowed");
  return (
    <Button
      look="quiet"
      aria-label={`${description ?? label}${result === null ? "" : `: ${result}`}`}
      onPress={copy}
    >
      {result ?? label}
    </Button>
  );
}
