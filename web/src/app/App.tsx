import { type ReactNode, Suspense, useEffect, useRef } from "react";
import { AlertsPage } from "../alerts/AlertsPage";
import { HomePage } from "../home/HomePage";
import { MetricsPage } from "../metrics/MetricsPage";
import { useLocation, useVisits } from "../router";
import { RunsPage } from "../runs/RunsPage";
import { lazyPart } from "../ui";
import { LiveRegion } from "../ui/LiveRegion";
import { Footer } from "./Footer";
import { Header } from "./Header";
import { NotFound } from "./NotFound";
import { RunAnnouncer } from "./RunAnnouncer";
import { TokenDialog } from "./TokenDialog";
import "./app.css";

const RunPage = lazyPart(async () => (await import("../run/RunPage")).RunPage);

const RUN_PATH = /^\/runs\/([^/]+)$/;

interface Page {
  readonly title: string;
  readonly content: ReactNode;
}

function pageAt(path: string): Page {
  const run = RUN_PATH.exec(path)?.[1];
  if (run !== undefined) {
    const id = decode(run);
    return { title: `Run ${id.slice(0, 8)}`, content: <RunPage key={id} id={id} /> };
  }
  switch (path) {
    case "/":
      return { title: "Start", content: <HomePage /> };
    case "/runs":
      return { title: "Runs", content: <RunsPage /> };
    case "/metrics":
      return { title: "Metrics", content: <MetricsPage /> };
    case "/alerts":
      return { title: "Alerts", content: <AlertsPage /> };
    default:
      return { title: "Nothing here", content: <NotFound path={path} /> };
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The frame around each page. */
export function App() {
  const { path } = useLocation();
  const { title, content } = pageAt(path);
  const main = useRef<HTMLElement>(null);
  const visits = useVisits();

  useEffect(() => {
    document.title = `${title} · Retryscope`;
  }, [title]);

  // A reader who went to another page begins at its top; the first page leaves the focus where it is.
  useEffect(() => {
    if (visits > 0) main.current?.focus({ preventScroll: true });
  }, [visits]);

  return (
    <>
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <Header path={path} />
      <main id="main" ref={main} tabIndex={-1} aria-label={title}>
        <Suspense fallback={<p className="loading">Loading…</p>}>{content}</Suspense>
      </main>
      <Footer />
      <LiveRegion />
      <RunAnnouncer />
      <TokenDialog />
    </>
  );
}
