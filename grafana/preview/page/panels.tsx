// The panels by type: Grafana's components where npm has them.
import { getFieldDisplayValues } from "@grafana/data";
import { BigValue, useTheme2, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import type * as React from "react";

import { fieldConfig } from "./fields";
import { Heatmap } from "./heatmap";
import type { Props } from "./props";
import { Trend } from "./trend";

export function Viz(props: Props): React.ReactElement {
  const empty = props.frames.every((frame) => !frame.length);
  if (empty && props.panel.type !== "stat") {
    return <div className="empty">{fieldConfig(props.panel).defaults.noValue ?? "No data"}</div>;
  }
  switch (props.panel.type) {
    case "timeseries":
      return <Trend {...props} />;
    case "stat":
      return <Numbers {...props} />;
    case "table":
      return <Rows {...props} />;
    case "heatmap":
      return <Heatmap {...props} />;
    default:
      return <div className="empty">No drawing of panels of type {props.panel.type}</div>;
  }
}

function Numbers({ panel, frames, range, width, height }: Props): React.ReactElement {
  const theme = useTheme2();
  const options = panel.options;
  const values = getFieldDisplayValues({
    fieldConfig: fieldConfig(panel),
    reduceOptions: options.reduceOptions,
    replaceVariables: (text: string) => text,
    theme,
    data: frames,
    sparkline: options.graphMode !== "none",
    timeZone: "utc",
  } as any);
  return (
    <VizRepeater
      source={values}
      getValues={() => values}
      width={width}
      height={height}
      orientation={options.orientation}
      itemSpacing={3}
      renderCounter={0}
      autoGrid={true}
      renderValue={({ value, width: w, height: h, count }: any) => {
        if (value.sparkline) value.sparkline.timeRange = range;
        return (
          <BigValue
            value={value.display}
            count={count}
            sparkline={value.sparkline}
            colorMode={options.colorMode}
            graphMode={options.graphMode}
            justifyMode={options.justifyMode}
            textMode={options.textMode}
            theme={theme}
            width={w}
            height={h}
          />
        );
      }}
    />
  );
}

function Rows({ panel, frames, range, width, height }: Props): React.ReactElement {
  return (
    <TableNG
      data={frames[0]}
      width={width}
      height={height}
      timeRange={range}
      fieldConfig={fieldConfig(panel)}
      cellHeight={panel.options.cellHeight}
      noHeader={!panel.options.showHeader}
      sortBy={panel.options.sortBy}
      structureRev={1}
      enableVirtualization={false}
      enablePagination={panel.options.footer?.enablePagination}
      noValue={fieldConfig(panel).defaults.noValue}
    />
  );
}
