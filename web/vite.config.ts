/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The console's pages have the addresses of the API: told apart by Accept, as the service does it.
const service = {
  target: process.env.RETRYSCOPE_URL ?? "http://127.0.0.1:8080",
  bypass: (request: { url?: string; headers: { accept?: string } }) =>
    request.headers.accept?.includes("text/html") ? "/index.html" : undefined,
};

export default defineConfig({
  plugins: [react()],
  base: "./", // a reverse proxy may show the service below a path, which is not known here
  build: {
    outDir: "dist",
    assetsInlineLimit: 0, // the page may load scripts and styles from its own host only, no data: addresses
    chunkSizeWarningLimit: 1200,
    license: { fileName: "licenses.md" }, // the terms of what is bundled go with it
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "echarts", test: /node_modules[\\/](echarts|zrender)[\\/]/ },
            { name: "vendor", test: /node_modules/ },
          ],
        },
      },
    },
  },
  worker: { format: "es" },
  server: {
    proxy: Object.fromEntries(
      ["/alerts", "/console", "/docs", "/health", "/metrics", "/openapi.json", "/runs", "/workflows"].map(
        (path) => [path, service],
      ),
    ),
  },
  // The limits only guard against a hang: the machine may be busy with ten other things.
  test: { include: ["src/**/*.test.{ts,tsx}"], testTimeout: 120_000, hookTimeout: 120_000 },
});
