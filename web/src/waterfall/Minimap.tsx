import { useEffect, useRef, useState } from "react";
import { Slider, SliderThumb, SliderTrack } from "react-aria-components";
import type { Span } from "../api/types";
import { formatDuration } from "../format";
import { flatten, EXPANDED } from "./rows";
import type { SpanNode } from "./lanes";
import { toneOf, isFailed, isFrame } from "./status";
import { sharesOf, windowOfShares } from "./time";
import { elapsedOf, totalOf, type Extent } from "./timeline";
import { useZoom, type Zoom } from "./zoom";

const REDRAW_MS = 400;
const STEP = 0.001;
const THICKEST = 4;

interface MinimapProps {
  roots: readonly SpanNode[];
  extent: Extent;
  zoom: Zoom;
}

/** The whole trace in little, and two thumbs for the part of it that the lanes show. */
export function Minimap({ roots, extent, zoom }: MinimapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const window = useZoom(zoom);
  const total = useTotal(extent);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const draw = () => drawSpans(element, roots, extent, total);
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributes: true });
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      observer.disconnect();
      themed.disconnect();
      scheme.removeEventListener("change", draw);
    };
  }, [roots, extent, total]);

  const shares = sharesOf(window, total);
  const onChange = ([from = 0, to = 1]: number[]) => zoom.set(windowOfShares(from, to, total));
  return (
    <div className="minimap">
      <canvas ref={canvas} aria-hidden="true" />
      <Slider
        aria-label="Visible time"
        minValue={0}
        maxValue={1}
        step={STEP}
        formatOptions={{ style: "percent", maximumFractionDigits: 1 }}
        value={shares}
        onChange={onChange}
      >
        <SliderTrack className="minimap-track">
          <span
            className="minimap-window"
            style={{ left: `${shares[0] * 100}%`, right: `${100 - shares[1] * 100}%` }}
          />
          <SliderThumb index={0} aria-label="Start of the visible time" className="minimap-thumb" />
          <SliderThumb index={1} aria-label="End of the visible time" className="minimap-thumb" />
        </SliderTrack>
      </Slider>
      <p className="visually-hidden">
        {window
          ? `Shown: ${formatDuration(window.from)} to ${formatDuration(window.to)} of ${formatDuration(total)}.`
          : "All of the time is shown."}
      </p>
    </div>
  );
}

/** The length of the trace, looked at again from time to time while it grows. */
function useTotal(extent: Extent): number {
  const [, redraw] = useState(0);
  const running = extent.end === null;
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => redraw((count) => count + 1), REDRAW_MS);
    return () => clearInterval(timer);
  }, [running]);
  return totalOf(extent);
}

function drawSpans(
  canvas: HTMLCanvasElement,
  roots: readonly SpanNode[],
  extent: Extent,
  total: number,
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const width = (canvas.width = canvas.clientWidth * devicePixelRatio);
  const height = (canvas.height = canvas.clientHeight * devicePixelRatio);
  const rows = flatten(roots, EXPANDED);
  const pixel = Math.ceil(devicePixelRatio);
  const now = extent.start + elapsedOf(extent);
  const thickness = Math.floor(Math.max(pixel, Math.min(THICKEST * pixel, height / rows.length - pixel)));
  const style = getComputedStyle(canvas);
  const colors = new Map<string, string>();
  const scale = width / Math.max(total, 1e-4);
  context.clearRect(0, 0, width, height);
  const draw = ({ span, index }: { span: Span; index: number }) => {
    const tone = toneOf(span);
    if (!colors.has(tone)) colors.set(tone, style.getPropertyValue(`--${tone}`));
    context.fillStyle = colors.get(tone) ?? "";
    context.globalAlpha = isFrame(span) ? 0.4 : 1;
    // In whole pixels: half of one would be a mixture of colours.
    const left = Math.min(Math.floor((span.start - extent.start) * scale), width - pixel);
    const right = Math.ceil(((span.end ?? now) - extent.start) * scale);
    const top = Math.round((index / rows.length) * (height - thickness));
    context.fillRect(left, top, Math.max(right - left, pixel), thickness);
  };
  // Hundreds of rows share a line of pixels: what failed is drawn over what did not.
  const spans = rows.map(({ node }, index) => ({ span: node.span, index }));
  spans.filter(({ span }) => !isFailed(span)).forEach(draw);
  spans.filter(({ span }) => isFailed(span)).forEach(draw);
}
