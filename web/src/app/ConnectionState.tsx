import { dismissTokenRequest } from "../api/token";
import { useConnection } from "../store";
import type { Connection } from "../stream/messages";
import type { Tone } from "../theme/status";
import { Button } from "../ui";

const LOOKS: Readonly<
  Record<Connection, { symbol: string; label: string; explanation: string; tone: Tone }>
> = {
  live: { symbol: "●", label: "live", explanation: "Changes are shown as they happen.", tone: "cleanup" },
  connecting: { symbol: "◌", label: "connecting", explanation: "Asking the service.", tone: "neutral" },
  lost: {
    symbol: "✕",
    label: "lost",
    explanation: "The service can't be reached; what you see may be old. The page keeps trying.",
    tone: "error",
  },
  unauthorized: {
    symbol: "⚿",
    label: "token needed",
    explanation: "The service wants a token.",
    tone: "backoff",
  },
};

export function ConnectionState() {
  const connection = useConnection();
  const { symbol, label, explanation, tone } = LOOKS[connection];
  return (
    <span className={`connection tone-${tone}`} title={explanation} data-testid="connection">
      <span className="visually-hidden">Connection: </span>
      <span aria-hidden="true">{symbol}</span> {label}
      {connection === "unauthorized" && (
        <>
          {" "}
          <Button look="quiet" onPress={() => dismissTokenRequest(false)}>
            Give the token
          </Button>
        </>
      )}
    </span>
  );
}
