// What every panel is drawn from.
import type { DataFrame, TimeRange } from "@grafana/data";

import type { Exemplar } from "./prometheus";

/** A time during which an alert fired, or in which a process started. */
export interface Stripe {
  from: number;
  to: number;
  text: string;
  colour: string;
}

/** A panel of the dashboard, and the answers to its queries. */
export interface Props {
  panel: any;
  frames: DataFrame[];
  exemplars: Exemplar[];
  stripes: Stripe[];
  range: TimeRange;
  width: number;
  height: number;
}
