import { addressFor } from "../api/root";
import { Link } from "../router";
import { ConnectionState } from "./ConnectionState";
import { FiringAlerts } from "./FiringAlerts";
import { ThemeSwitch } from "./ThemeSwitch";

const PAGES: readonly { readonly href: string; readonly label: string }[] = [
  { href: "/", label: "Start" },
  { href: "/runs", label: "Runs" },
  { href: "/metrics", label: "Metrics" },
  { href: "/alerts", label: "Alerts" },
];

export function Header({ path }: { readonly path: string }) {
  return (
    <header className="app-header">
      <Link href="/" className="brand">
        Retryscope
      </Link>
      <nav aria-label="Pages">
        {PAGES.map(({ href, label }) => (
          <Link key={href} href={href} className="page-link" aria-current={current(href, path)}>
            {label}
          </Link>
        ))}
        <a href={addressFor("/docs")} className="page-link">
          API
        </a>
      </nav>
      <ConnectionState />
      <FiringAlerts />
      <ThemeSwitch />
    </header>
  );
}

function current(href: string, path: string): "page" | "true" | undefined {
  if (path === href) return "page";
  return href !== "/" && path.startsWith(`${href}/`) ? "true" : undefined;
}
