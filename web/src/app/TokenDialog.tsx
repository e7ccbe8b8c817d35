import { type SyntheticEvent, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { dismissTokenRequest, setToken, subscribeToken, tokenRequest } from "../api/token";
import { Button, Field } from "../ui";

/** Asks for the API token when the service wants one. */
export function TokenDialog() {
  const request = useSyncExternalStore(subscribeToken, tokenRequest);
  const dialog = useRef<HTMLDialogElement>(null);
  const [token, setInput] = useState("");
  const wanted = request !== null && !request.dismissed;

  useEffect(() => {
    if (wanted) dialog.current?.showModal();
    else dialog.current?.close();
  }, [wanted]);

  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const given = token.trim();
    if (given === "") return;
    setInput("");
    setToken(given);
  };
  return (
    <dialog
      ref={dialog}
      className="token-dialog"
      aria-labelledby="token-title"
      onClose={() => dismissTokenRequest(true)}
    >
      {wanted && (
        <form onSubmit={submit}>
          <h2 id="token-title">API token</h2>
          <Field
            label="Token"
            hint="The value of RETRYSCOPE_API_TOKEN. All open tabs on this service use it; it is forgotten when the last is closed."
            error={request.refused ? "The service did not accept this token." : undefined}
          >
            {(control) => (
              <input
                {...control}
                type="password"
                autoComplete="off"
                autoFocus
                value={token}
                onChange={(event) => setInput(event.target.value)}
              />
            )}
          </Field>
          <Button type="submit" look="primary">
            Use this token
          </Button>
        </form>
      )}
    </dialog>
  );
}
