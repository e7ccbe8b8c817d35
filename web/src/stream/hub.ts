import type { StreamEvents } from "../api/types";
import { StreamConnection } from "./connection";
import type { Connection, FromStream, StreamEvent, ToStream } from "./messages";
import type { ServerEvent } from "./sse";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5_000;
/** The service sends something to every stream each second: by then the old stream has all that the new one skips. */
const HANDOVER_MS = 3_000;
/** Traces that one stream is asked for, the ones wanted last. */
const MAX_TRACES = 20;
const EVENT_NAMES: readonly string[] = [
  "runs",
  "metrics",
  "alerts",
  "traffic",
  "spans",
] satisfies (keyof StreamEvents)[];

export type Send = (message: FromStream) => void;

/**
 * One event stream for any number of pages, since a browser opens only six connections to a server.
 *
 * A change of the wanted traces opens a second stream. The first stays until it has delivered everything up to
 * where the second begins, so nothing is missed and nothing has to be loaded anew.
 */
export class StreamHub {
  private readonly wanted = new Map<Send, readonly string[]>();
  private token: string | null = null;
  private refused: string | null = null;
  private state: Connection = "connecting";
  private bootId = "";
  private current: StreamConnection | null = null;
  private lastSeq = 0;
  private next: StreamConnection | null = null;
  private nextSeq: number | null = null;
  private held: StreamEvent[] = [];
  private handover: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private retryMs = FIRST_RETRY_MS;

  receive(send: Send, message: ToStream): void {
    if (message.type === "bye") {
      this.wanted.delete(send);
      if (this.wanted.size === 0) this.stop();
      return;
    }
    const isNew = !this.wanted.has(send);
    this.wanted.set(send, message.traces);
    const tokenChanged = message.token !== null && message.token !== this.token;
    if (tokenChanged) this.token = message.token;
    if (isNew) this.greet(send);
    else if (this.state === "live") this.confirm(send, message.traces);
    if (tokenChanged && this.state !== "live") this.restart();
    else this.adjust();
  }

  private greet(send: Send): void {
    send({ type: "connection", connection: this.state, refused: this.refused });
    if (this.state !== "live" || this.current === null) return;
    if (this.token !== null) send({ type: "token", token: this.token });
    send({ type: "open", bootId: this.bootId, traces: this.delivered(), gap: true });
  }

  /** What a page wants may be delivered already, because another page wants it: then no stream is opened for it. */
  private confirm(send: Send, wanted: readonly string[]): void {
    const delivered = this.delivered();
    const traces = wanted.filter((trace) => delivered.includes(trace));
    if (traces.length > 0) send({ type: "open", bootId: this.bootId, traces, gap: false });
  }

  private delivered(): readonly string[] {
    const { current, next, nextSeq } = this;
    return [...(current?.traces ?? []), ...(nextSeq === null ? [] : (next?.traces ?? []))];
  }

  private traces(): readonly string[] {
    return [...new Set([...this.wanted.values()].flat())].slice(-MAX_TRACES).sort();
  }

  private adjust(): void {
    if (this.retry !== undefined || this.state === "unauthorized") return;
    const traces = this.traces();
    const latest = this.next ?? this.current;
    if (latest !== null && same(latest.traces, traces)) return;
    if (this.current === null || this.state !== "live") this.restart();
    else this.openNext(traces);
  }

  private restart(): void {
    this.closeAll();
    this.retryMs = FIRST_RETRY_MS;
    this.open();
  }

  private open(): void {
    this.retry = undefined;
    this.refused = null;
    this.announce(this.state === "lost" ? "lost" : "connecting");
    const connection: StreamConnection = new StreamConnection(this.token, this.traces(), {
      onEvent: (event) => this.onEvent(connection, event),
      onEnd: (status) => this.onEnd(status),
    });
    this.current = connection;
  }

  private openNext(traces: readonly string[]): void {
    this.dropNext();
    const connection: StreamConnection = new StreamConnection(this.token, traces, {
      onEvent: (event) => this.onNextEvent(connection, event),
      onEnd: (status) => this.onEnd(status),
    });
    this.next = connection;
  }

  private onEvent(connection: StreamConnection, event: ServerEvent): void {
    if (connection !== this.current) {
      if (connection === this.next) this.onNextEvent(connection, event);
      return;
    }
    const seq = Number(event.id);
    if (event.event === "hello") {
      this.bootId = readBootId(event);
      this.lastSeq = seq;
      this.retryMs = FIRST_RETRY_MS;
      this.announce("live");
      this.share({ type: "open", bootId: this.bootId, traces: connection.traces, gap: true });
      if (this.token !== null) this.share({ type: "token", token: this.token });
      this.adjust();
    } else if (event.event === "resync") {
      this.share({ type: "resync" });
    } else if (this.nextSeq === null || seq <= this.nextSeq) {
      this.lastSeq = seq;
      this.shareEvent(event);
    } else {
      this.takeOver();
    }
  }

  private onNextEvent(connection: StreamConnection, event: ServerEvent): void {
    if (connection === this.current) return this.onEvent(connection, event);
    if (connection !== this.next) return;
    if (event.event === "hello") {
      this.nextSeq = Number(event.id);
      const restarted = readBootId(event) !== this.bootId;
      this.bootId = readBootId(event);
      this.share({ type: "open", bootId: this.bootId, traces: connection.traces, gap: restarted });
      if (restarted || this.lastSeq >= this.nextSeq) this.takeOver();
      else this.handover = setTimeout(() => this.takeOverWithGap(), HANDOVER_MS);
    } else if (event.event === "resync") {
      this.takeOverWithGap();
    } else {
      const parsed = toStreamEvent(event);
      if (parsed !== null) this.held.push(parsed);
    }
  }

  private takeOverWithGap(): void {
    this.takeOver();
    this.share({ type: "resync" });
  }

  private takeOver(): void {
    const { next, held, nextSeq } = this;
    if (next === null) return;
    clearTimeout(this.handover);
    this.current?.close();
    this.current = next;
    this.lastSeq = nextSeq ?? this.lastSeq;
    this.next = null;
    this.nextSeq = null;
    this.held = [];
    for (const event of held) {
      this.lastSeq = event.seq;
      this.share({ type: "event", event });
    }
  }

  private onEnd(status: number): void {
    this.closeAll();
    if (status === 401) {
      this.refused = this.token;
      this.announce("unauthorized");
      return;
    }
    this.announce("lost");
    const wait = this.retryMs * (0.75 + Math.random() / 2);
    this.retryMs = Math.min(LAST_RETRY_MS, this.retryMs * 2);
    this.retry = setTimeout(() => this.open(), wait);
  }

  private stop(): void {
    this.closeAll();
    this.token = null;
    this.state = "connecting";
  }

  private closeAll(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.dropNext();
    this.current?.close();
    this.current = null;
  }

  private dropNext(): void {
    clearTimeout(this.handover);
    this.next?.close();
    this.next = null;
    this.nextSeq = null;
    this.held = [];
  }

  private announce(connection: Connection): void {
    this.state = connection;
    this.share({ type: "connection", connection, refused: this.refused });
  }

  private shareEvent(event: ServerEvent): void {
    const parsed = toStreamEvent(event);
    if (parsed !== null) this.share({ type: "event", event: parsed });
  }

  private share(message: FromStream): void {
    const trace =
      message.type === "event" && message.event.name === "spans" ? message.event.data.trace_id : null;
    for (const [send, traces] of this.wanted) {
      if (trace === null || traces.includes(trace)) send(message);
    }
  }
}

function readBootId(event: ServerEvent): string {
  return (JSON.parse(event.data) as { boot_id: string }).boot_id;
}

function toStreamEvent({ event, id, data }: ServerEvent): StreamEvent | null {
  if (event === null || !EVENT_NAMES.includes(event)) return null;
  return { name: event, seq: Number(id), data: JSON.parse(data) as unknown } as StreamEvent;
}

const same = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((each, index) => each === other[index]);
