import { formatCountdown, formatDuration } from "../format";
import { now } from "../store/clock";
import { ticks, visibleWindow } from "./time";
import type { Zoom } from "./zoom";

/** When a trace began and ended, in seconds since the epoch; `end` is null while it runs. */
export interface Extent {
  start: number;
  end: number | null;
  /** The latest time that is known of the trace. */
  latest: number;
  /** When what still runs must have ended, or is to go on: limits, deadlines, ends of waits. */
  ahead: readonly number[];
}

export const NOTHING: Extent = { start: 0, end: 0, latest: 0, ahead: [] };

const FRAME_MS = 50;
const CALM_FRAME_MS = 500;
const TICK_WIDTH = 96;
const LABEL_WIDTH = 60;

/**
 * Moves the time of a waterfall: bars are placed by CSS from the variables that this sets (`--from`, `--span`
 * and `--now`, in seconds since the trace's start), so neither a tick nor a zoom renders anything in React.
 */
export class Timeline {
  #extent: Extent = NOTHING;
  #frame = 0;
  #painted = -Infinity;
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #unsubscribe: () => void;
  readonly #resized: ResizeObserver;

  constructor(
    private readonly root: HTMLElement,
    private readonly axis: HTMLElement,
    private readonly zoom: Zoom,
  ) {
    this.#unsubscribe = zoom.subscribe(() => this.paint());
    this.#resized = new ResizeObserver(() => this.paint());
    this.#resized.observe(axis);
  }

  show(extent: Extent): void {
    this.#extent = extent;
    this.paint();
    cancelAnimationFrame(this.#frame);
    if (extent.end === null) this.#frame = requestAnimationFrame(this.#tick);
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#unsubscribe();
    this.#resized.disconnect();
  }

  readonly #tick = (time: number): void => {
    if (time - this.#painted >= (this.#calm.matches ? CALM_FRAME_MS : FRAME_MS)) {
      this.#painted = time;
      this.paint();
    }
    this.#frame = requestAnimationFrame(this.#tick);
  };

  paint(): void {
    const total = totalOf(this.#extent);
    const elapsed = elapsedOf(this.#extent);
    const { from, to } = visibleWindow(this.zoom.get(), total);
    const style = this.root.style;
    style.setProperty("--now", elapsed.toFixed(6));
    style.setProperty("--from", from.toFixed(6));
    style.setProperty("--span", (to - from).toFixed(6));
    this.#paintAxis(from, to);
    if (this.#extent.end !== null) return;
    for (const clock of this.root.querySelectorAll<HTMLElement>("[data-running-since]")) {
      clock.textContent = formatDuration(Math.max(elapsed - Number(clock.dataset.runningSince), 0));
    }
    for (const clock of this.root.querySelectorAll<HTMLElement>("[data-waiting-until]")) {
      clock.textContent = formatCountdown(Number(clock.dataset.waitingUntil) - elapsed);
    }
  }

  #paintAxis(from: number, to: number): void {
    const width = this.axis.clientWidth;
    const wanted = ticks({ from, to }, Math.max(Math.floor(width / TICK_WIDTH), 2));
    while (this.axis.childElementCount > wanted.length) this.axis.lastElementChild?.remove();
    wanted.forEach(({ at, label }, index) => {
      const tick = this.axis.children[index] ?? this.axis.appendChild(document.createElement("span"));
      const left = ((at - from) / (to - from)) * width;
      (tick as HTMLElement).style.left = `${left}px`;
      const text = left > width - LABEL_WIDTH ? "" : label;
      if (tick.textContent !== text) tick.textContent = text;
    });
  }
}

/** How long the trace is by now, in seconds. Never shorter than what is known: other processes have their own clocks. */
export function elapsedOf({ start, end, latest }: Extent): number {
  return (end ?? Math.max(now(), latest)) - start;
}

/** The time that is shown: what is ahead as well, as far as it leaves half of the width to what has happened. */
export function totalOf(extent: Extent): number {
  const elapsed = elapsedOf(extent);
  if (extent.end !== null) return elapsed;
  return extent.ahead.reduce(
    (total, time) => Math.max(total, Math.min(time - extent.start, 2 * elapsed)),
    elapsed,
  );
}
