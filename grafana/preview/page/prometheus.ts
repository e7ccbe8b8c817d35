// Prometheus' answers as Grafana's data frames. (@grafana/prometheus is AGPL and asks Grafana's server, so not that.)
import { DataFrameType, FieldType, type DataFrame, type Field, type TimeRange } from "@grafana/data";

import type { Variables } from "./variables";

const SCRAPE_SECONDS = Number(new URLSearchParams(location.search).get("scrape") ?? 5); // jsonData.timeInterval

async function ask(path: string, parameters: Record<string, string>): Promise<any> {
  const answer = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  if (body.status !== "success") throw new Error(`${body.errorType}: ${body.error}`);
  return body.data;
}

export async function labelValues(question: string, range: TimeRange): Promise<string[]> {
  const parts = /^label_values\((?:(.+),\s*)?(\w+)\)$/s.exec(question);
  if (!parts) throw new Error(`not understood: ${question}`);
  const match: Record<string, string> = parts[1] ? { "match[]": parts[1] } : {};
  const bounds = { start: String(range.from.unix()), end: String(range.to.unix()) };
  return (await ask(`label/${parts[2]}/values`, { ...match, ...bounds })).sort();
}

/** Seconds between two points, and what Grafana fills in for it. */
export function intervals(range: TimeRange, points: number): { step: number; own: Record<string, string> } {
  const seconds = (range.to.valueOf() - range.from.valueOf()) / 1000;
  const nice = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600];
  const step = Math.max(SCRAPE_SECONDS, nice.find((candidate) => candidate >= seconds / points) ?? 3600);
  const own = {
    __interval: `${step * 1000}ms`,
    __rate_interval: `${Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS) * 1000}ms`,
    __range: `${Math.round(seconds)}s`,
  };
  return { step, own };
}

export interface Exemplar {
  time: number;
  value: number;
  traceId: string;
}

export interface Answer {
  frames: DataFrame[];
  exemplars: Exemplar[];
}

/** All targets of a panel. */
export async function query(
  panel: any,
  variables: Variables,
  range: TimeRange,
  width: number,
): Promise<Answer> {
  const answer: Answer = { frames: [], exemplars: [] };
  const tables = panel.targets.filter((target: any) => target.format === "table").length;
  const { step, own } = intervals(range, panel.maxDataPoints ?? width);
  const start = Math.floor(range.from.unix() / step) * step;
  const end = Math.floor(range.to.unix() / step) * step;
  for (const target of panel.targets) {
    if (target.hide) continue;
    const expression = variables.fill(target.expr, own, true);
    if (target.instant) {
      const data = await ask("query", { query: expression, time: String(range.to.unix()) });
      const name = tables > 1 ? `Value #${target.refId}` : "Value";
      answer.frames.push(...(target.format === "table" ? [table(data, target, name)] : vector(data, target)));
      continue;
    }
    const data = await ask("query_range", {
      query: expression,
      start: `${start}`,
      end: `${end}`,
      step: `${step}`,
    });
    answer.frames.push(
      ...(target.format === "heatmap" ? heatmap(data, target, start, end, step) : matrix(data, target, step)),
    );
    if (target.exemplar) answer.exemplars.push(...(await exemplars(expression, start, end, step)));
  }
  return answer;
}

const number = (text: string): number =>
  text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);

function legend(target: any, labels: Record<string, string>): string {
  const format = target.legendFormat ?? "__auto";
  if (format !== "__auto")
    return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_: string, label: string) => labels[label] ?? "");
  const pairs = Object.entries(labels).filter(([label]) => label !== "__name__");
  return pairs.length === 1
    ? pairs[0][1]
    : `{${pairs.map(([label, value]) => `${label}="${value}"`).join(", ")}}`;
}

function column(
  name: string,
  type: FieldType,
  values: any[],
  config = {},
  labels?: Record<string, string>,
): Field {
  return { name, type, values, config, labels };
}

function matrix(data: any, target: any, step: number): DataFrame[] {
  return data.result.map(({ metric, values }: any) => {
    const name = legend(target, metric);
    const fields = [
      column(
        "Time",
        FieldType.time,
        values.map(([time]: any) => time * 1000),
        { interval: step * 1000 },
      ),
      column(
        "Value",
        FieldType.number,
        values.map(([, value]: any) => number(value)),
        { displayNameFromDS: name },
        metric,
      ),
    ];
    return {
      refId: target.refId,
      name,
      fields,
      length: values.length,
      meta: { type: DataFrameType.TimeSeriesMulti },
    };
  });
}

function vector(data: any, target: any): DataFrame[] {
  return matrix(
    { result: data.result.map(({ metric, value }: any) => ({ metric, values: [value] })) },
    target,
    0,
  );
}

function table(data: any, target: any, valueName: string): DataFrame {
  const labels = [...new Set<string>(data.result.flatMap(({ metric }: any) => Object.keys(metric)))].sort();
  const fields = [
    column(
      "Time",
      FieldType.time,
      data.result.map(({ value }: any) => value[0] * 1000),
    ),
    ...labels.map((label) =>
      column(
        label,
        FieldType.string,
        data.result.map(({ metric }: any) => metric[label] ?? ""),
      ),
    ),
    column(
      valueName,
      FieldType.number,
      data.result.map(({ value }: any) => number(value[1])),
    ),
  ];
  return { refId: target.refId, fields, length: data.result.length };
}

/** Buckets in ascending order, each with what is in it alone, on every step of the range. */
function heatmap(data: any, target: any, start: number, end: number, step: number): DataFrame[] {
  const times = Array.from(
    { length: Math.floor((end - start) / step) + 1 },
    (_, index) => start + index * step,
  );
  const buckets = data.result
    .map(({ metric, values }: any) => ({
      metric,
      values: new Map(values.map(([time, value]: any) => [time, number(value)])),
    }))
    .sort((one: any, other: any) => number(one.metric.le) - number(other.metric.le));
  const rows = buckets.map(({ values }: any, index: number) =>
    times.map((time) => {
      const own = values.get(time);
      return own === undefined
        ? null
        : Math.max(0, own - (index ? (buckets[index - 1].values.get(time) ?? 0) : 0));
    }),
  );
  const fields = [
    column(
      "Time",
      FieldType.time,
      times.map((time) => time * 1000),
      { interval: step * 1000 },
    ),
    ...buckets.map(({ metric }: any, index: number) =>
      column(metric.le, FieldType.number, rows[index], { displayNameFromDS: legend(target, metric) }, metric),
    ),
  ];
  return [{ refId: target.refId, fields, length: times.length, meta: { type: DataFrameType.HeatmapRows } }];
}

/** Of each step the largest, and such as lie two standard deviations below the last one taken, as Grafana's server does. */
async function exemplars(expression: string, start: number, end: number, step: number): Promise<Exemplar[]> {
  const data = await ask("query_exemplars", { query: expression, start: `${start}`, end: `${end}` });
  const all: Exemplar[] = data.flatMap(({ exemplars }: any) =>
    exemplars.map((one: any) => ({
      time: one.timestamp * 1000,
      value: number(one.value),
      traceId: one.labels.trace_id,
    })),
  );
  const mean = all.reduce((sum, { value }) => sum + value, 0) / all.length;
  const deviation = Math.sqrt(
    all.reduce((sum, { value }) => sum + (value - mean) ** 2, 0) / Math.max(all.length - 1, 1),
  );
  const last = new Map<number, number>();
  return all
    .sort((one, other) => other.value - one.value)
    .filter(({ time, value }) => {
      const slot = Math.floor(time / 1000 / step);
      const previous = last.get(slot);
      if (previous !== undefined && !(deviation > 0 && previous - value > 2 * deviation)) return false;
      last.set(slot, value);
      return true;
    });
}

/** For annotations: times during which an expression has a value, by series. */
export async function spans(
  annotation: any,
  variables: Variables,
  range: TimeRange,
): Promise<{ from: number; to: number; text: string }[]> {
  const step = parseInt(annotation.step ?? "60", 10);
  const expression = variables.fill(annotation.expr, {}, true);
  const data = await ask("query_range", {
    query: expression,
    start: `${range.from.unix()}`,
    end: `${range.to.unix()}`,
    step: `${step}`,
  });
  return data.result.flatMap(({ metric, values }: any) => {
    const text = legend({ legendFormat: annotation.titleFormat }, metric);
    const found: { from: number; to: number; text: string }[] = [];
    for (const [time, value] of values) {
      if (number(value) === 0) continue; // as Grafana does: a value of 0 is no event
      const last = found.at(-1);
      if (last && time * 1000 - last.to <= step * 1000) last.to = time * 1000;
      else found.push({ from: time * 1000, to: time * 1000, text });
    }
    return found;
  });
}
