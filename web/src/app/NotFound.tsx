import { Link } from "../router";

export function NotFound({ path }: { readonly path: string }) {
  return (
    <>
      <h1>Nothing here</h1>
      <p>
        There is no page at <code>{path}</code>. <Link href="/">Start</Link> has the workflows, and{" "}
        <Link href="/runs">Runs</Link> what was run.
      </p>
    </>
  );
}
