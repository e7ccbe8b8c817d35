/** What went wrong; read out at once, since it answers what the reader just did. */
export function ErrorNote({ message }: { readonly message: string | null }) {
  return (
    <div role="alert" className={message === null ? undefined : "error-note tone-error"}>
      {message !== null && (
        <>
          <span aria-hidden="true">✕ </span>
          {message}
        </>
      )}
    </div>
  );
}
