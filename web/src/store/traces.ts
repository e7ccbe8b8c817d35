import { useEffect, useSyncExternalStore } from "react";
import { ApiError, apiGet, errorText } from "../api/client";
import type { Span, StreamEvents, TraceDocument } from "../api/types";
import { Cell } from "./cell";

/** As many as the service shows of one trace. */
const MAX_SPANS = 10_000;
const LINGER_MS = 1_000;

export interface Trace {
  /** "missing": the service does not know it (yet, or any more). */
  readonly state: "loading" | "ready" | "missing" | "failed";
  /** In order of arrival; a span that has not changed is the same object as before. */
  readonly spans: readonly Span[];
  readonly total: number;
  readonly truncated: boolean;
  readonly error: string | null;
}

type SpansEvent = StreamEvents["spans"];

const LOADING: Trace = { state: "loading", spans: [], total: 0, truncated: false, error: null };

/** One open trace: loaded once its changes are delivered, and kept live by them. */
class OpenTrace {
  readonly cell = new Cell<Trace>(LOADING);
  readers = 0;
  wanted = false;
  private readonly spans = new Map<string, Span>();
  private waiting: { seq: number; event: SpansEvent }[] | null = null;
  private seq = 0;
  private abort: AbortController | null = null;

  constructor(private readonly traceId: string) {}

  get loaded(): boolean {
    return this.abort !== null || this.cell.get().state !== "loading";
  }

  async load(): Promise<void> {
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    this.waiting = [];
    try {
      const document = await apiGet<TraceDocument>(`/console/traces/${this.traceId}`, abort.signal);
      this.spans.clear();
      this.seq = document.seq;
      this.put(document);
    } catch (error) {
      if (abort.signal.aborted) return;
      const missing = error instanceof ApiError && error.status === 404;
      if (this.spans.size === 0 || missing) {
        this.spans.clear();
        this.cell.set({ ...LOADING, state: missing ? "missing" : "failed", error: errorText(error) });
      }
    }
    if (abort.signal.aborted) return;
    this.abort = null;
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const { seq, event } of waiting) this.apply(seq, event);
  }

  apply(seq: number, event: SpansEvent): void {
    if (this.waiting !== null) this.waiting.push({ seq, event });
    else if (seq > this.seq) this.put(event);
  }

  clear(): void {
    this.abort?.abort();
    this.abort = null;
    this.waiting = null;
    this.seq = 0;
    this.spans.clear();
    this.cell.set(LOADING);
  }

  private put({
    spans,
    total,
    truncated,
  }: {
    spans: readonly Span[];
    total: number;
    truncated: boolean;
  }): void {
    for (const span of spans) {
      if (this.spans.has(span.id) || this.spans.size < MAX_SPANS) this.spans.set(span.id, span);
    }
    // Copying at each event would be too much for a large trace: the copy is made when it is read.
    this.cell.set(new LazyTrace(this.spans, total, truncated));
  }
}

class LazyTrace implements Trace {
  readonly state = "ready";
  readonly error = null;
  private copy: readonly Span[] | null = null;

  constructor(
    private readonly source: ReadonlyMap<string, Span>,
    readonly total: number,
    readonly truncated: boolean,
  ) {}

  get spans(): readonly Span[] {
    this.copy ??= [...this.source.values()];
    return this.copy;
  }
}

/** By id; one without readers stays for a moment, so that pages may change hands. */
const open = new Map<string, OpenTrace>();
let onWanted: () => void = () => undefined;

/** Called whenever another set of traces is wanted. */
export function onWantedTraces(listener: () => void): void {
  onWanted = listener;
}

export const wantedTraces = (): string[] => [...open].filter(([, trace]) => trace.wanted).map(([id]) => id);

/** The changes of these traces are delivered from now on. */
export function tracesDelivered(traces: readonly string[], gap: boolean): void {
  for (const id of traces) {
    const trace = open.get(id);
    if (trace !== undefined && (gap || !trace.loaded)) void trace.load();
  }
}

export const reloadTraces = (): void => open.forEach((trace) => void trace.load());
export const clearTraces = (): void => open.forEach((trace) => trace.clear());
export const applySpans = (seq: number, event: SpansEvent): void =>
  open.get(event.trace_id)?.apply(seq, event);

/** A trace, live while the component is there; null wants none. */
export function useTrace(traceId: string | null): Trace {
  const trace = traceId === null ? null : lookUp(traceId);
  useEffect(() => {
    if (traceId === null || trace === null) return;
    acquire(trace);
    return () => release(traceId, trace);
  }, [traceId, trace]);
  return useSyncExternalStore(trace?.cell.subscribe ?? NEVER, trace?.cell.get ?? ALWAYS_LOADING);
}

const NEVER = (): (() => void) => () => undefined;
const ALWAYS_LOADING = (): Trace => LOADING;

function lookUp(traceId: string): OpenTrace {
  let trace = open.get(traceId);
  if (trace === undefined) {
    trace = new OpenTrace(traceId);
    open.set(traceId, trace);
    forgetSoon(traceId, trace);
  }
  return trace;
}

function acquire(trace: OpenTrace): void {
  trace.readers += 1;
  if (trace.wanted) return;
  trace.wanted = true;
  onWanted();
}

function release(traceId: string, trace: OpenTrace): void {
  trace.readers -= 1;
  forgetSoon(traceId, trace);
}

function forgetSoon(traceId: string, trace: OpenTrace): void {
  setTimeout(() => {
    if (trace.readers > 0 || open.get(traceId) !== trace) return;
    trace.clear();
    open.delete(traceId);
    if (trace.wanted) onWanted();
  }, LINGER_MS);
}
