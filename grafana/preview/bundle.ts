// The page and all of Grafana that it uses, as one script and one style sheet.
import { fileURLToPath } from "node:url";

import { build, type Plugin } from "esbuild";

/** The code editor is 10 MB that no panel shows. */
const WITHOUT_EDITOR: Plugin = {
  name: "without-editor",
  setup(bundler) {
    bundler.onResolve({ filter: /^(monaco-editor|@monaco-editor\/react)(\/|$)/ }, ({ path }) => ({
      path,
      namespace: "without-editor",
    }));
    bundler.onLoad({ filter: /./, namespace: "without-editor" }, () => ({
      contents: "module.exports = new Proxy({}, { get: () => () => null });",
    }));
  },
};

/** What the browser loads, by path. */
export async function bundle(): Promise<Record<string, Uint8Array>> {
  const built = await build({
    entryPoints: [fileURLToPath(new URL("page/page.tsx", import.meta.url))],
    outfile: "page.js",
    plugins: [WITHOUT_EDITOR],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"', "process.env": "{}", global: "window" },
    loader: { ".svg": "dataurl", ".woff2": "dataurl", ".ttf": "dataurl" },
    logLevel: "error",
  });
  return Object.fromEntries(
    built.outputFiles.map((file) => [file.path.endsWith(".css") ? "/page.css" : "/page.js", file.contents]),
  );
}
