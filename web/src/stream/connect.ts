import { StreamHub } from "./hub";
import type { FromStream, ToStream } from "./messages";

/** Connects this page with the stream that all tabs share; where there is no SharedWorker, with its own. */
export function connectStream(receive: (message: FromStream) => void): (message: ToStream) => void {
  if (typeof SharedWorker === "undefined") {
    const hub = new StreamHub();
    return (message) => hub.receive(receive, message);
  }
  const worker = new SharedWorker(new URL("./stream.worker.ts", import.meta.url), {
    type: "module",
    name: "retryscope",
  });
  worker.port.addEventListener("message", ({ data }: MessageEvent<FromStream>) => receive(data));
  worker.port.start();
  return (message) => worker.port.postMessage(message);
}
