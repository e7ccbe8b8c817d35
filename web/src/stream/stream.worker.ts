/** The SharedWorker: one stream for all tabs of this page. */

import { StreamHub } from "./hub";
import type { ToStream } from "./messages";

const hub = new StreamHub();

addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0];
  if (port === undefined) return;
  const send = port.postMessage.bind(port);
  port.addEventListener("message", ({ data }: MessageEvent<ToStream>) => hub.receive(send, data));
  // A tab that crashes says no goodbye; browsers that know this event tell.
  port.addEventListener("close", () => hub.receive(send, { type: "bye" }));
  port.start();
});
