// Lines over time: Grafana's component, with alert stripes and exemplars drawn here.
import { TimeSeries, useTheme2, type UPlotConfigBuilder } from "@grafana/ui";
import type * as React from "react";

import type { Exemplar } from "./prometheus";
import type { Props, Stripe } from "./props";

export function Trend({
  panel,
  frames,
  exemplars,
  stripes,
  range,
  width,
  height,
}: Props): React.ReactElement {
  const theme = useTheme2();
  const marks = (builder: UPlotConfigBuilder): React.ReactNode => {
    builder.addHook("drawClear", (plot: any) => drawStripes(plot, stripes, theme));
    builder.addHook("draw", (plot: any) => drawExemplars(plot, exemplars));
    return null;
  };
  return (
    <TimeSeries
      frames={frames}
      timeRange={range}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      options={panel.options}
      structureRev={1}
      children={marks}
    />
  );
}

function drawStripes(plot: any, stripes: Stripe[], theme: any): void {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const { from, to, colour } of stripes) {
    const left = Math.max(plot.valToPos(from, "x", true), bbox.left);
    const right = Math.min(plot.valToPos(to, "x", true), bbox.left + bbox.width);
    if (right < left) continue;
    const named = theme.visualization.getColorByName(colour);
    ctx.globalAlpha = 0.1;
    ctx.fillStyle = named;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = named;
    ctx.setLineDash([4, 4]);
    for (const x of new Set([left, right])) {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
  }
  ctx.restore();
}

function drawExemplars(plot: any, exemplars: Exemplar[]): void {
  const { ctx, bbox } = plot;
  const scale = Object.keys(plot.scales).find((key) => key !== "x" && plot.scales[key].min != null);
  if (!scale) return;
  const { min, max } = plot.scales[scale];
  ctx.save();
  ctx.fillStyle = "rgb(87, 148, 242)";
  for (const one of exemplars) {
    const x = plot.valToPos(one.time, "x", true);
    const y = plot.valToPos(Math.min(Math.max(one.value, min), max), scale, true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, y - 7);
    ctx.lineTo(x + 6, y);
    ctx.lineTo(x, y + 7);
    ctx.lineTo(x - 6, y);
    ctx.closePath();
    ctx.fill();
  }
  ctx.restore();
}
