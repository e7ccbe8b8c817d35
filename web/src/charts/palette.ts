import type { Palette } from "./option";

/** The theme's colours, as a canvas needs them. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    success: color("success"),
    error: color("error"),
    timeout: color("timeout"),
    cancelled: color("cancelled"),
    backoff: color("backoff"),
    cleanup: color("cleanup"),
    running: color("running"),
    neutral: color("neutral"),
    fg: color("fg"),
    dim: color("dim"),
    line: color("line"),
    panel: color("panel"),
  };
}
