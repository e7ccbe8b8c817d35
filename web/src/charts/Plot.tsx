import { useEffect, useRef } from "react";
import type { ChartData, History } from "../api/types";
import { useDark } from "../theme/theme";
import type { Band } from "./bands";
import { type ECharts, init } from "./engine";
import { chartOption } from "./option";
import { readPalette } from "./palette";
import type { Step } from "./points";

interface Props {
  readonly chart: ChartData;
  readonly history: History;
  readonly step: Step;
  readonly bands: readonly Band[];
  readonly small: boolean;
}

/** The lines. Everything that they say is also in the legend and in the table. */
export function Plot({ chart, history, step, bands, small }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<ECharts>(null);
  const dark = useDark();

  useEffect(() => {
    if (element.current === null) return;
    const created = (plot.current = init(element.current, null, { renderer: "canvas" }));
    const observer = new ResizeObserver(() => created.resize());
    observer.observe(element.current);
    return () => {
      observer.disconnect();
      created.dispose();
      plot.current = null;
    };
  }, []);

  useEffect(() => {
    if (document.hidden) return; // the next second draws it, once somebody looks
    const option = chartOption({ chart, history, step, bands, palette: readPalette(), small });
    plot.current?.setOption(option, { lazyUpdate: true });
  }, [chart, history, step, bands, small, dark]);

  const label = `${chart.title}: lines over time`;
  return <div ref={element} className={small ? "plot plot-small" : "plot"} role="img" aria-label={label} />;
}
