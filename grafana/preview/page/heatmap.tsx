// A heatmap: Grafana keeps its own in its core, so this is a drawing of ours.
import {
  FieldType,
  formattedValueToString,
  getValueFormat,
  type DataFrame,
  type TimeRange,
} from "@grafana/data";
import { useTheme2 } from "@grafana/ui";
import * as React from "react";

import type { Exemplar } from "./prometheus";
import type { Props } from "./props";

const BLUES = [
  [247, 251, 255],
  [198, 219, 239],
  [107, 174, 214],
  [33, 113, 181],
  [8, 48, 107],
];

export function Heatmap({ panel, frames, exemplars, range, width, height }: Props): React.ReactElement {
  const theme = useTheme2();
  const canvas = React.useRef<HTMLCanvasElement>(null);
  React.useEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    const ratio = window.devicePixelRatio;
    context.scale(ratio, ratio);
    drawHeatmap(context, panel, frames[0], exemplars, range, width, height - 24, theme);
  });
  const ratio = window.devicePixelRatio;
  return <canvas ref={canvas} width={width * ratio} height={height * ratio} style={{ width, height }} />;
}

function drawHeatmap(
  ctx: CanvasRenderingContext2D,
  panel: any,
  frame: DataFrame,
  exemplars: Exemplar[],
  range: TimeRange,
  width: number,
  height: number,
  theme: any,
): void {
  const times = frame.fields[0].values as number[];
  const rows = frame.fields.slice(1).filter((field) => field.type === FieldType.number);
  const format = getValueFormat(panel.options.yAxis?.unit ?? "short");
  const names = rows.map((field) =>
    field.name === "+Inf" ? "+Inf" : formattedValueToString(format(Number(field.name))),
  );
  const [left, top, right, bottom] = [60, 6, width - 8, height - 20];
  const x = (time: number): number =>
    left + ((time - range.from.valueOf()) / (range.to.valueOf() - range.from.valueOf())) * (right - left);
  const tall = (bottom - top) / rows.length;
  const largest = Math.max(
    ...rows.flatMap((field) => (field.values as number[]).filter((value) => value != null)),
  );
  const hide = panel.options.filterValues?.le ?? 0;
  const gap = times.length > 1 ? x(times[1]) - x(times[0]) : 4;
  const palette = theme.isDark ? [...BLUES].reverse() : BLUES;
  rows.forEach((field, index) => {
    (field.values as number[]).forEach((value, at) => {
      if (value == null || value <= hide) return;
      const share = Math.pow(value / largest, panel.options.color?.exponent ?? 1);
      ctx.fillStyle = `rgb(${mix(palette, share)})`;
      ctx.fillRect(
        x(times[at]) - gap,
        bottom - (index + 1) * tall,
        Math.max(gap - 1, 1),
        Math.max(tall - 1, 1),
      );
    });
  });
  ctx.fillStyle = theme.colors.text.primary;
  ctx.font = "12px sans-serif";
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  const every = Math.max(1, Math.ceil(22 / tall));
  names.forEach((name, index) => {
    if (index % every === 0) ctx.fillText(name, left - 6, bottom - (index + 1) * tall);
  });
  ctx.textAlign = "center";
  for (
    let time = Math.ceil(range.from.valueOf() / 300000) * 300000;
    time < range.to.valueOf();
    time += 300000
  ) {
    ctx.fillText(new Date(time).toISOString().slice(11, 16), x(time), height - 8);
  }
  ctx.fillStyle = "rgb(242, 73, 92)";
  for (const one of exemplars) {
    const row = rows.findIndex(
      (field) => one.value <= (field.name === "+Inf" ? Infinity : Number(field.name)),
    );
    if (row < 0) continue;
    const [cx, cy] = [x(one.time), bottom - (row + 0.5) * tall];
    ctx.beginPath();
    ctx.moveTo(cx, cy - 4);
    ctx.lineTo(cx + 4, cy);
    ctx.lineTo(cx, cy + 4);
    ctx.lineTo(cx - 4, cy);
    ctx.fill();
  }
}

function mix(palette: number[][], share: number): string {
  const at = Math.min(share, 0.9999) * (palette.length - 1);
  const low = Math.floor(at);
  return palette[low]
    .map((channel, index) => Math.round(channel + (palette[low + 1][index] - channel) * (at - low)))
    .join(",");
}
