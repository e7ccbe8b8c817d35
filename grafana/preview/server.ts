// Serves the page on 127.0.0.1: its bundle, Grafana's icons and font, the dashboards, and what Prometheus answers.
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { bundle } from "./bundle.ts";

const FONT_WEIGHTS: Record<string, number> = { Regular: 400, Medium: 500, SemiBold: 600 };
const DOCUMENT = `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/page.css"><style>
body { margin: 0 }
.row { font-size: 15px; line-height: 30px; margin: 0 }
.empty { padding: 12px; text-align: center; opacity: .75; overflow: hidden }
header { display: flex; gap: 12px; align-items: center; padding: 0 16px 12px; font-size: 14px }
.variable { border: 1px solid #8884; padding: 2px 8px } .variable i { color: #6e9fff; font-style: normal }
.note { margin-left: auto; opacity: .6 }
</style><div id="root"></div><script type="module" src="/page.js"></script>`;

/** What `@grafana/ui` asks of Grafana's server. */
function asset(path: string): URL {
  const font = /^\/public\/fonts\/inter\/Inter-(\w+)\.woff2$/.exec(path);
  const file = font
    ? `@fontsource/inter/files/inter-latin-${FONT_WEIGHTS[font[1]] ?? 400}-normal.woff2`
    : path.replace(/^\/public\/(build\/)?/, "@grafana/ui/dist/public/");
  return new URL(`node_modules/${file}`, import.meta.url);
}

/** Starts it; `traces` names the file with the traces of a state. */
export async function serve(
  prometheus: string,
  dashboards: string,
  traces: (state: string) => string | undefined,
): Promise<{ address: string; close: () => void }> {
  const built = await bundle();
  const send = (response: ServerResponse, type: string, content: string | Uint8Array): void => {
    response.writeHead(200, { "content-type": type }).end(content);
  };
  const answer = async (path: string, search: string, response: ServerResponse): Promise<void> => {
    if (path === "/") return send(response, "text/html", DOCUMENT);
    if (path in built)
      return send(response, path.endsWith(".css") ? "text/css" : "text/javascript", built[path]);
    if (path.startsWith("/prometheus/")) {
      const answered = await fetch(prometheus + path.slice("/prometheus".length) + search);
      response.writeHead(answered.status, { "content-type": "application/json" }).end(await answered.text());
      return;
    }
    if (path.startsWith("/traces/")) {
      const file = traces(path.slice("/traces/".length));
      return send(response, "application/json", file ? await readFile(file) : '{"resourceSpans": []}');
    }
    if (path.startsWith("/dashboards/")) {
      return send(
        response,
        "application/json",
        await readFile(dashboards + path.slice("/dashboards".length)),
      );
    }
    if (path.startsWith("/public/")) {
      return send(
        response,
        path.endsWith(".svg") ? "image/svg+xml" : "font/woff2",
        await readFile(asset(path)),
      );
    }
    response.writeHead(404).end();
  };
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://127.0.0.1");
    answer(pathname, search, response).catch((error) => response.writeHead(502).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
