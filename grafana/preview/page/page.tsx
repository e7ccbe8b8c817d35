// A dashboard's JSON as a page: `?uid=...&from=...&to=...` (milliseconds), one element per panel.
import {
  createTheme,
  dateTime,
  FieldType,
  ThemeContext,
  type DataFrame,
  type TimeRange,
} from "@grafana/data";
import { GlobalStyles, PanelChrome, PortalContainer } from "@grafana/ui";
import * as React from "react";
import { createRoot } from "react-dom/client";

import { prepare } from "./fields";
import { Viz } from "./panels";
import * as prometheus from "./prometheus";
import type { Stripe } from "./props";
import * as tempo from "./tempo";
import { resolve, type Variables } from "./variables";

const CELL = 30; // of Grafana's grid, with gaps of 8
const GAP = 8;
const parameters = new URLSearchParams(location.search);
const WIDTH = Number(parameters.get("width") ?? 1600);
const theme = createTheme({ colors: { mode: parameters.get("theme") === "light" ? "light" : "dark" } });

class Boundary extends React.Component<{ children: React.ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }
  render(): React.ReactNode {
    return this.state.error ? <div className="empty">{String(this.state.error)}</div> : this.props.children;
  }
}

function box({ x, y, w, h }: any): React.CSSProperties & { width: number; height: number } {
  const column = (WIDTH - GAP * 23 - 32) / 24;
  return {
    position: "absolute",
    left: 16 + x * (column + GAP),
    top: y * (CELL + GAP),
    width: w * column + (w - 1) * GAP,
    height: h * CELL + (h - 1) * GAP,
  };
}

function Panel({ panel, state, range }: any): React.ReactElement {
  const place = box(panel.gridPos);
  if (panel.type === "row")
    return (
      <h2 style={place} className="row">
        ⌄ {panel.title}
      </h2>
    );
  return (
    <div style={place} data-panel={panel.title}>
      <PanelChrome
        title={panel.title}
        description={panel.description}
        width={place.width}
        height={place.height}
        padding={panel.type === "table" ? "none" : "md"}
        statusMessage={state.error}
      >
        {(width: number, height: number) => (
          <Boundary>
            {state.error ? (
              <div className="empty">{state.error}</div>
            ) : (
              <Viz panel={panel} range={range} width={width} height={height} {...state} />
            )}
          </Boundary>
        )}
      </PanelChrome>
    </div>
  );
}

async function answer(panel: any, variables: Variables, range: TimeRange, stripes: Stripe[]): Promise<any> {
  const traced = panel.targets?.find((target: any) => target.queryType === "traceql");
  if (traced) {
    try {
      const frames = await tempo.search(
        traced,
        variables.fill(traced.query),
        parameters.get("state") ?? "",
        range,
      );
      return {
        frames: await prepare(panel, frames, theme, (text) => variables.fill(text)),
        exemplars: [],
        stripes,
      };
    } catch (error) {
      return { error: `No traces: ${error}` };
    }
  }
  try {
    const { frames, exemplars } = await prometheus.query(
      panel,
      variables,
      range,
      Math.floor(box(panel.gridPos).width),
    );
    return {
      frames: await prepare(panel, frames, theme, (text) => variables.fill(text)),
      exemplars,
      stripes,
    };
  } catch (error) {
    return { error: String(error) };
  }
}

/** How many values there are to be seen, besides times. */
function valuesOf(frames: DataFrame[]): number {
  const fields = frames.flatMap((frame) => frame.fields.filter((field) => field.type !== FieldType.time));
  return fields.flatMap((field) => field.values.filter((value) => value != null && !Number.isNaN(value)))
    .length;
}

function describe(panel: any, state: any): any {
  return { title: panel.title, type: panel.type, error: state.error, values: valuesOf(state.frames ?? []) };
}

async function main(): Promise<void> {
  const dashboard = await (await fetch(`/dashboards/${parameters.get("uid")}.json`)).json();
  const [from, to] = [dateTime(Number(parameters.get("from"))), dateTime(Number(parameters.get("to")))];
  const range: TimeRange = { from, to, raw: { from, to } };
  const chosen = Object.fromEntries(
    [...parameters]
      .filter(([name]) => name.startsWith("var-"))
      .map(([name, value]) => [name.slice(4), value.split(",")]),
  );
  const variables = await resolve(dashboard, chosen, range);
  const stripes: Stripe[] = [];
  for (const annotation of dashboard.annotations?.list ?? []) {
    for (const one of await prometheus.spans(annotation, variables, range))
      stripes.push({ ...one, colour: annotation.iconColor });
  }
  const states = await Promise.all(
    dashboard.panels.map((panel: any) =>
      panel.type === "row" ? {} : answer(panel, variables, range, stripes),
    ),
  );
  const height =
    Math.max(...dashboard.panels.map((panel: any) => panel.gridPos.y + panel.gridPos.h)) * (CELL + GAP);
  createRoot(document.getElementById("root")!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div
        style={{
          width: WIDTH,
          background: theme.colors.background.canvas,
          color: theme.colors.text.primary,
          padding: "12px 0",
        }}
      >
        <header>
          <b style={{ whiteSpace: "nowrap" }}>{dashboard.title}</b>{" "}
          {variables.shown.map(({ label, text, options }) => (
            <span key={label} className="variable">
              <i>{label}</i> {text}
              {options ? <small> of {options}</small> : null}
            </span>
          ))}
          <span className="variable">
            {from.toISOString().slice(11, 19)} to {to.toISOString().slice(11, 19)} UTC
          </span>
          <span className="note">Drawn with Grafana's component library, not by Grafana</span>
        </header>
        <div style={{ position: "relative", height }}>
          {dashboard.panels.map((panel: any, index: number) => (
            <Panel key={panel.id} panel={panel} state={states[index]} range={range} />
          ))}
        </div>
      </div>
      <PortalContainer />
    </ThemeContext.Provider>,
  );
  (window as any).drawn = dashboard.panels
    .map((panel: any, index: number) => describe(panel, states[index]))
    .filter((one: any) => one.type !== "row");
}

main().catch((error) => {
  document.body.textContent = String(error.stack);
  (window as any).drawn = [{ title: "page", type: "page", error: String(error), values: 0 }];
});
