/** A word for a POSIX shell. */
export const shellQuote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The command that starts the same run; it takes the token from the environment, so that it shows none. */
export function curlCommand(origin: string, workflow: string, params: unknown, withToken: boolean): string {
  return [
    "curl -X POST",
    shellQuote(`${origin}/workflows/${encodeURIComponent(workflow)}/runs`),
    ...(withToken ? [`-H "Authorization: Bearer $RETRYSCOPE_API_TOKEN"`] : []),
    "-H 'Content-Type: application/json'",
    "-d",
    shellQuote(JSON.stringify(params)),
  ].join(" ");
}
