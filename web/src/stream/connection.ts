import { authorization } from "../api/authorization";
import { addressFor } from "../api/root";
import { type ServerEvent, SseParser } from "./sse";

/** A comment comes every 10 seconds: silence for longer than this is a dead connection. */
const SILENCE_MS = 25_000;

export interface ConnectionHandlers {
  readonly onEvent: (event: ServerEvent) => void;
  /** The stream has ended, for whatever reason but `close`; status 0: it never answered, or broke off. */
  readonly onEnd: (status: number) => void;
}

/** One open event stream. Read with fetch, because EventSource can't send the token. */
export class StreamConnection {
  private readonly abort = new AbortController();
  private watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly token: string | null,
    readonly traces: readonly string[],
    private readonly handlers: ConnectionHandlers,
  ) {
    void this.run();
  }

  close(): void {
    clearTimeout(this.watchdog);
    this.abort.abort("closed");
  }

  private async run(): Promise<void> {
    const status = await this.read().catch(() => 0);
    clearTimeout(this.watchdog);
    if (this.abort.signal.reason !== "closed") this.handlers.onEnd(status);
  }

  private async read(): Promise<number> {
    this.heard();
    const query = new URLSearchParams(this.traces.map((trace) => ["trace", trace]));
    const response = await fetch(addressFor(`/console/stream?${query}`), {
      headers: { Accept: "text/event-stream", ...authorization(this.token) },
      cache: "no-store",
      signal: this.abort.signal,
    });
    if (!response.ok || response.body === null) return response.status;
    const parser = new SseParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return 0;
      this.heard();
      for (const event of parser.push(value)) {
        if (event.event !== null && !this.abort.signal.aborted) this.handlers.onEvent(event);
      }
    }
  }

  private heard(): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.abort.abort("silent"), SILENCE_MS);
  }
}
