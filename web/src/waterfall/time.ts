/** A part of the trace's time, in seconds since the trace's start. */
export interface TimeWindow {
  from: number;
  to: number;
}

export interface Tick {
  at: number;
  label: string;
}

/** Nothing is recorded finer than this, in seconds. */
const FINEST = 0.0001;
/** Share of a window that `zoomTo` leaves free at either side. */
const MARGIN = 0.08;
const STEPS = [1, 2, 5];

/** What is shown: all of the trace as long as nobody has zoomed. */
export function visibleWindow(zoom: TimeWindow | null, total: number): TimeWindow {
  return zoom ?? { from: 0, to: Math.max(total, FINEST) };
}

/** The window that shows one span with a little room around it. */
export function zoomTo(start: number, end: number, total: number): TimeWindow {
  const width = Math.max(end - start, FINEST);
  const from = Math.max(start - width * MARGIN, 0);
  return { from, to: Math.max(Math.min(end + width * MARGIN, total), from + FINEST) };
}

/** The window between two shares of the trace (0 to 1), or null for all of it. */
export function windowOfShares(from: number, to: number, total: number): TimeWindow | null {
  if (from <= 0 && to >= 1) return null;
  return { from: from * total, to: Math.max(to * total, from * total + FINEST) };
}

/** The same the other way round. */
export function sharesOf(zoom: TimeWindow | null, total: number): [number, number] {
  if (zoom === null) return [0, 1];
  const share = (at: number) => Math.min(Math.max(at / Math.max(total, FINEST), 0), 1);
  return [share(zoom.from), share(zoom.to)];
}

/** About `count` round times inside a window. */
export function ticks(window: TimeWindow, count: number): Tick[] {
  const step = roundStep((window.to - window.from) / Math.max(count, 1));
  const first = Math.ceil(window.from / step - 1e-6);
  const last = Math.floor(window.to / step + 1e-6);
  const known: Tick[] = [];
  for (let index = first; index <= last; index++) {
    known.push({ at: index * step, label: tickLabel(index * step, step) });
  }
  return known;
}

function roundStep(least: number): number {
  const size = 10 ** Math.floor(Math.log10(Math.max(least, FINEST / 10)));
  const factor = STEPS.find((step) => step * size >= least * 0.999) ?? 10;
  return factor * size;
}

function tickLabel(at: number, step: number): string {
  if (at === 0) return "0";
  const [value, unit, scale] = Math.abs(at) < 1 && step < 1 ? [at * 1000, "ms", 1000] : [at, "s", 1];
  const digits = Math.max(0, -Math.floor(Math.log10(step * scale) + 1e-9));
  return `${value.toFixed(digits)} ${unit}`;
}
