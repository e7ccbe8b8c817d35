import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StreamHub } from "./hub";
import type { FromStream } from "./messages";

/** A service whose streams a test writes to. */
class Service {
  readonly streams: Stream[] = [];
  token: string | null = null;

  readonly fetch = (url: string, init: RequestInit): Promise<Response> => {
    const given = new Headers(init.headers).get("Authorization");
    if (this.token !== null && given !== `Bearer ${this.token}`) {
      return Promise.resolve(new Response(null, { status: 401 }));
    }
    const stream = new Stream(new URL(url, "http://service").searchParams.getAll("trace"));
    init.signal?.addEventListener("abort", () => stream.abort());
    this.streams.push(stream);
    return Promise.resolve(new Response(stream.body));
  };

  get last(): Stream {
    const last = this.streams.at(-1);
    if (last === undefined) throw new Error("no stream was opened");
    return last;
  }
}

class Stream {
  open = true;
  private controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly body = new ReadableStream<Uint8Array>({
    start: (controller) => void (this.controller = controller),
  });

  constructor(readonly traces: string[]) {}

  async write(event: string, seq: number, data: unknown): Promise<void> {
    const text = `id: ${seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    this.controller.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  async hello(seq: number, bootId = "boot"): Promise<void> {
    await this.write("hello", seq, { boot_id: bootId, seq });
  }

  abort(): void {
    if (this.open) this.controller.error(new Error("aborted"));
    this.open = false;
  }

  async breakOff(): Promise<void> {
    this.abort();
    await settle();
  }
}

/** Until what was written has gone through the streams. */
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(5);

let service: Service;
let hub: StreamHub;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  service = new Service();
  vi.stubGlobal("fetch", service.fetch);
  hub = new StreamHub();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

class Page {
  readonly received: FromStream[] = [];
  readonly send = (message: FromStream): void => void this.received.push(message);

  async want(traces: readonly string[] = [], token: string | null = null): Promise<void> {
    hub.receive(this.send, { type: "want", token, traces });
    await settle();
  }

  get connection(): string | undefined {
    return this.received.findLast((each) => each.type === "connection")?.connection;
  }

  get seqs(): number[] {
    return this.received.flatMap((each) => (each.type === "event" ? [each.event.seq] : []));
  }
}

test("all pages share one stream, and a later one learns that it is open", async () => {
  const [one, other] = [new Page(), new Page()];
  await one.want();
  await service.last.hello(1);
  await other.want();
  expect(service.streams).toHaveLength(1);
  expect(other.received).toContainEqual({ type: "open", bootId: "boot", traces: [], gap: true });
  await service.last.write("runs", 2, []);
  expect([one.seqs, other.seqs]).toEqual([[2], [2]]);
});

test("another trace opens a second stream, and no event is missed or told twice", async () => {
  const page = new Page();
  await page.want();
  const first = service.last;
  await first.hello(1);
  await page.want(["a"]);
  const second = service.last;
  expect(second.traces).toEqual(["a"]);
  await second.hello(5);
  await second.write("runs", 6, []);
  await first.write("runs", 5, []); // had not been delivered yet when the second stream began
  expect(first.open).toBe(true);
  await first.write("runs", 6, []);
  expect(first.open).toBe(false);
  await second.write("runs", 7, []);
  expect(page.seqs).toEqual([5, 6, 7]);
  expect(page.received).toContainEqual({ type: "open", bootId: "boot", traces: ["a"], gap: false });
  expect(page.received).not.toContainEqual({ type: "resync" });
});

test("a page that wants what another one has already learns that it is delivered", async () => {
  const [one, other] = [new Page(), new Page()];
  await one.want(["a"]);
  await service.last.hello(1);
  await other.want();
  other.received.length = 0;
  await other.want(["a"]);
  expect(service.streams).toHaveLength(1);
  expect(other.received).toEqual([{ type: "open", bootId: "boot", traces: ["a"], gap: false }]);
});

test("when the first stream stays silent the second one takes over, and all is loaded anew", async () => {
  const page = new Page();
  await page.want();
  await service.last.hello(1);
  await page.want(["a"]);
  await service.last.hello(5);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(service.streams[0]?.open).toBe(false);
  expect(page.received.at(-1)).toEqual({ type: "resync" });
});

test("only pages that want a trace get its spans", async () => {
  const [one, other] = [new Page(), new Page()];
  await one.want(["a"]);
  await service.last.hello(1);
  await other.want();
  await service.last.write("spans", 2, { trace_id: "a", spans: [], total: 0, truncated: false });
  expect([one.seqs, other.seqs]).toEqual([[2], []]);
});

test("a stream that breaks off is opened again, later each time", async () => {
  const page = new Page();
  await page.want();
  await service.last.hello(1);
  await service.last.breakOff();
  expect(page.connection).toBe("lost");
  await vi.advanceTimersByTimeAsync(700);
  expect(service.streams).toHaveLength(2);
  await service.last.breakOff();
  await vi.advanceTimersByTimeAsync(700);
  expect(service.streams).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(700);
  expect(service.streams).toHaveLength(3);
  await service.last.hello(1, "another");
  expect(page.connection).toBe("live");
  expect(page.received).toContainEqual({ type: "open", bootId: "another", traces: [], gap: true });
});

test("a stream on which nothing comes, not even a comment, is given up", async () => {
  const page = new Page();
  await page.want();
  await service.last.hello(1);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(service.streams[0]?.open).toBe(false);
  expect(service.streams.length).toBeGreaterThan(1);
});

test("a refused token is asked for, and an accepted one is given to the other pages", async () => {
  service.token = "right";
  const [one, other] = [new Page(), new Page()];
  await one.want([], "wrong");
  expect(one.received.at(-1)).toEqual({ type: "connection", connection: "unauthorized", refused: "wrong" });
  await one.want([], "right");
  await service.last.hello(1);
  expect(one.connection).toBe("live");
  await other.want();
  expect(other.received).toContainEqual({ type: "token", token: "right" });
});

test("with the last page goes the token", async () => {
  service.token = "right";
  const [one, other] = [new Page(), new Page()];
  await one.want([], "right");
  await service.last.hello(1);
  hub.receive(one.send, { type: "bye" });
  await other.want();
  expect(other.connection).toBe("unauthorized");
  expect(other.received).not.toContainEqual({ type: "token", token: "right" });
});

test("without pages there is no stream", async () => {
  const page = new Page();
  await page.want();
  await service.last.hello(1);
  hub.receive(page.send, { type: "bye" });
  await settle();
  expect(service.streams[0]?.open).toBe(false);
});
