// Draws dashboards in several states, widths and themes, and says what in them can't be read. See README.md.
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { chromium, type Browser } from "playwright-core";

import { legibility, type Complaints } from "./legibility.ts";
import { serve } from "./server.ts";

const { values: options } = parseArgs({
  options: {
    prometheus: { type: "string", default: "http://127.0.0.1:9090" },
    dashboards: { type: "string", default: "../dashboards" },
    output: { type: "string", default: "pictures" },
    scenes: { type: "string", default: "scenes.json" },
    widths: { type: "string", default: "1280,1600,1920" },
    themes: { type: "string", default: "dark,light" },
    states: { type: "string", default: "" },
    only: { type: "string", default: "" },
    height: { type: "string", default: "0" }, // of the pictures, in px; 0: all of the dashboard
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});

/** A moment at which dashboards are drawn, and what the service knew of traces then. */
interface Scene {
  at: number;
  traces: string;
}

/** Written by whoever drove the traffic: seconds between scrapes and in the time range, moments by state. */
interface Scenes {
  scrape: number;
  seconds: number;
  states: Record<string, Scene>;
}

/** What the page says about a panel that it has drawn. */
interface Drawn {
  title: string;
  type: string;
  error?: string;
  values: number;
}

/** One picture, and its panels. */
interface Picture {
  dashboard: string;
  state: string;
  width: number;
  theme: string;
  file: string;
  panels: (Drawn & { hardToRead: string[] })[];
}

const list = (text: string): string[] => text.split(",").filter(Boolean);
const FIRST_SCREEN = 800;

async function draw(browser: Browser, address: string, picture: Omit<Picture, "panels">): Promise<Picture> {
  const { dashboard, state, width, theme, file } = picture;
  const scene = scenes.states[state];
  const page = await browser.newPage({ viewport: { width, height: FIRST_SCREEN } });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  const to = Math.round(scene.at * 1000);
  const query = new URLSearchParams({
    uid: dashboard,
    state,
    theme,
    from: `${to - scenes.seconds * 1000}`,
    to: `${to}`,
    width: `${width}`,
    scrape: `${scenes.scrape}`,
  });
  await page.goto(`${address}/?${query}`);
  const handle = await page.waitForFunction("window.drawn", null, { timeout: 120_000 });
  const drawn = (await handle.jsonValue()) as Drawn[];
  // All of it in view: Chromium paints nothing of a table below the edge (content-visibility).
  const height = await page.evaluate(() =>
    Math.ceil(document.getElementById("root")!.getBoundingClientRect().height),
  );
  await page.setViewportSize({ width, height });
  await page.evaluate("document.fonts.ready");
  // Charts and tables lay themselves out after the first paint: until two looks in a row find the same.
  let found: Record<string, Complaints> = {};
  for (let last = "", tries = 0; tries < 40; tries += 1) {
    found = await page.evaluate(legibility);
    const now = JSON.stringify(found);
    if (now === last && tries > 2) break;
    last = now;
    await page.waitForTimeout(250);
  }
  const shown = Math.min(Number(options.height) || height, height);
  await page.screenshot({ path: `${options.output}/${file}`, clip: { x: 0, y: 0, width, height: shown } });
  await page.close();
  const panels = drawn.map((panel) => ({ ...panel, hardToRead: found[panel.title]?.complaints ?? [] }));
  if (errors.length)
    panels.push({ title: dashboard, type: "page", error: errors.join("; "), values: 0, hardToRead: [] });
  return { ...picture, panels };
}

const scenes: Scenes = JSON.parse(await readFile(options.scenes, "utf8"));
await mkdir(options.output, { recursive: true });
const server = await serve(options.prometheus, options.dashboards, (state) => scenes.states[state]?.traces);
const browser = await chromium.launch({
  executablePath: options.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
});
const pictures: Picture[] = [];
try {
  const uids = (await readdir(options.dashboards))
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -5));
  for (const dashboard of uids.filter((uid) => !options.only || list(options.only).includes(uid))) {
    for (const state of options.states ? list(options.states) : Object.keys(scenes.states)) {
      for (const width of list(options.widths).map(Number)) {
        for (const theme of list(options.themes)) {
          const file = `${dashboard}-${state}-${width}-${theme}.png`;
          const picture = await draw(browser, server.address, { dashboard, state, width, theme, file });
          const hard = picture.panels.filter((panel) => panel.error || panel.hardToRead.length);
          console.log(`${file}: ${picture.panels.length} panels, ${hard.length} hard to read`);
          for (const { title, error, hardToRead } of hard)
            console.log(`  ${title}: ${error ?? hardToRead.join(", ")}`);
          pictures.push(picture);
        }
      }
    }
  }
} finally {
  await browser.close();
  server.close();
}
await writeFile(`${options.output}/pictures.json`, JSON.stringify(pictures, null, 1));
