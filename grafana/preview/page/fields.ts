// What a panel's fieldConfig does to its frames: Grafana's own code, with a registry of the properties used here.
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  FieldConfigOptionsRegistry,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  ThresholdsMode,
  transformDataFrame,
  unitOverrideProcessor,
  type DataFrame,
  type GrafanaTheme2,
} from "@grafana/data";
import { firstValueFrom } from "rxjs";

const PROPERTIES: [string, (value: any, context: any, settings?: any) => any][] = [
  ["unit", unitOverrideProcessor],
  ["decimals", numberOverrideProcessor],
  ["min", numberOverrideProcessor],
  ["max", numberOverrideProcessor],
  ["displayName", identityOverrideProcessor],
  ["noValue", identityOverrideProcessor],
  ["color", identityOverrideProcessor],
  ["thresholds", identityOverrideProcessor],
  ["mappings", identityOverrideProcessor],
  ["links", identityOverrideProcessor],
];
const CUSTOM = [
  "drawStyle",
  "lineInterpolation",
  "lineWidth",
  "lineStyle",
  "fillOpacity",
  "gradientMode",
  "showPoints",
  "pointSize",
  "spanNulls",
  "stacking",
  "thresholdsStyle",
  "axisPlacement",
  "axisLabel",
  "axisSoftMin",
  "axisSoftMax",
  "scaleDistribution",
  "hideFrom",
  "fillBelowTo",
  "transform",
  "axisGridShow",
  "axisCenteredZero",
  "axisBorderShow",
  "cellOptions",
  "align",
  "width",
  "minWidth",
  "inspect",
  "hidden",
  "hideFrom.viz",
  "filterable",
];
/** What the plugins of Grafana fill in where a dashboard says nothing. */
const DEFAULTS: Record<string, any> = {
  timeseries: {
    color: { mode: "palette-classic" },
    custom: {
      drawStyle: "line",
      lineInterpolation: "linear",
      lineWidth: 1,
      fillOpacity: 0,
      gradientMode: "none",
      showPoints: "auto",
      pointSize: 5,
      spanNulls: false,
      axisPlacement: "auto",
      axisGridShow: true,
      scaleDistribution: { type: "linear" },
      thresholdsStyle: { mode: "off" },
    },
  },
  stat: { color: { mode: "thresholds" } },
  table: {
    color: { mode: "thresholds" },
    custom: { align: "auto", cellOptions: { type: "auto" }, inspect: false },
  },
  heatmap: {},
};
const THRESHOLDS = {
  mode: ThresholdsMode.Absolute,
  steps: [
    { value: -Infinity, color: "green" },
    { value: 80, color: "red" },
  ],
};

const item = (id: string, path: string, process: any, isCustom: boolean): any => ({
  id,
  path,
  name: id,
  description: "",
  isCustom,
  process,
  shouldApply: () => true,
  editor: () => null,
  override: () => null,
  settings: {},
});
const registry = new FieldConfigOptionsRegistry(() => [
  ...PROPERTIES.map(([id, process]) => item(id, id, process, false)),
  ...CUSTOM.map((name) => item(`custom.${name}`, name, identityOverrideProcessor, true)),
]);

standardTransformersRegistry.setInit(() => {
  const byId = new Map(Object.values(standardTransformers).map((one: any) => [one.id, one]));
  return [...byId.values()].map(
    (one) =>
      ({ id: one.id, name: one.name, transformation: () => Promise.resolve(one), editor: () => null }) as any,
  );
});

/** Panel defaults, under what the dashboard says. */
export function fieldConfig(panel: any): any {
  const base = DEFAULTS[panel.type] ?? {};
  const own = panel.fieldConfig?.defaults ?? {};
  const steps = own.thresholds?.steps.map((step: any) => ({ ...step, value: step.value ?? -Infinity }));
  return {
    defaults: {
      ...base,
      ...own,
      mappings: own.mappings ?? [],
      thresholds: steps ? { ...own.thresholds, steps } : THRESHOLDS,
      custom: { ...base.custom, ...own.custom },
    },
    overrides: panel.fieldConfig?.overrides ?? [],
  };
}

export async function prepare(
  panel: any,
  frames: DataFrame[],
  theme: GrafanaTheme2,
  fill: (text: string) => string,
): Promise<DataFrame[]> {
  const options: any[] = panel.transformations ?? [];
  const shaped = options.length
    ? await firstValueFrom(transformDataFrame(options, frames, { interpolate: (text: string) => text }))
    : frames;
  const prepared = applyFieldOverrides({
    data: shaped,
    fieldConfig: fieldConfig(panel),
    theme,
    timeZone: "utc",
    fieldConfigRegistry: registry,
    replaceVariables: (text: string) => fill(text),
  });
  cacheFieldDisplayNames(prepared);
  return prepared;
}
