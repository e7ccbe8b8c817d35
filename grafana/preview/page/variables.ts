// The variables of a dashboard, and what `$name`, `${name:format}` and Grafana's own become in a text.
import type { TimeRange } from "@grafana/data";

import * as prometheus from "./prometheus";

export type Values = Record<string, string[]>;

const ALL = "$__all";

/** Values of every variable: what Grafana picks when nobody chose anything, or `chosen`. */
export async function resolve(dashboard: any, chosen: Values, range: TimeRange): Promise<Variables> {
  const variables = new Variables(range);
  for (const variable of dashboard.templating?.list ?? []) {
    if (variable.type === "datasource") {
      variables.set(variable, [], [variable.query]);
      continue;
    }
    const question = variable.query?.query ?? variable.query;
    const options = await prometheus.labelValues(variables.fill(question), range);
    const preset = chosen[variable.name] ?? [variable.current?.value ?? []].flat();
    variables.set(variable, options, preset.length ? preset : options.slice(0, 1));
  }
  return variables;
}

export class Variables {
  readonly shown: { label: string; text: string; options: number }[] = [];
  private readonly values = new Map<string, { values: string[]; all?: string; many: boolean }>();

  readonly range: TimeRange;

  constructor(range: TimeRange) {
    this.range = range;
  }

  set(variable: any, options: string[], picked: string[]): void {
    const all = picked.includes(ALL);
    const values = all && !variable.allValue ? options : picked;
    this.values.set(variable.name, {
      values: all && variable.allValue ? [variable.allValue] : values,
      all: all ? variable.allValue : undefined,
      many: variable.multi || variable.includeAll,
    });
    this.shown.push({
      label: variable.label ?? variable.name,
      text: all ? "All" : picked.join(" + "),
      options: options.length,
    });
  }

  /** The text with every variable filled in; `own` are the panel's: `__rate_interval`, `__interval`, ... */
  fill(text: string, own: Record<string, string> = {}, promql = false): string {
    return text.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced, format, plain) => {
      const name = braced ?? plain;
      if (name in own) return own[name];
      const variable = this.values.get(name);
      if (!variable) return whole;
      if (format === "pipe") return variable.values.join("|");
      if (!promql || variable.all !== undefined || !variable.many) return variable.values.join(",");
      const escaped = variable.values.map((value) => value.replace(/[\\^$*+?.()|[\]{}]/g, "\\\\$&"));
      return escaped.length === 1 ? escaped[0] : `(${escaped.join("|")})`;
    });
  }
}
