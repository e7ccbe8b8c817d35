/** Joins the event stream with the stores: subscribe first, then load, then apply what is newer. */

import { apiGet } from "../api/client";
import { askForToken, currentToken, setToken, subscribeToken } from "../api/token";
import type { Snapshot } from "../api/types";
import { connectStream } from "../stream/connect";
import type { FromStream, StreamEvent, ToStream } from "../stream/messages";
import { serviceClock } from "./clock";
import { applyMetrics, clearHistory, reloadHistory } from "./history";
import { applyRuns, clearRuns, loadRuns } from "./runs";
import { alertsCell, connectionCell, linksCell, trafficCell, versionCell } from "./status";
import {
  applySpans,
  clearTraces,
  onWantedTraces,
  reloadTraces,
  tracesDelivered,
  wantedTraces,
} from "./traces";

const RETRY_MS = 2_000;

let send: (message: ToStream) => void = () => undefined;
let bootId = "";
let seq = 0;
/** Events that came while the snapshot was loading. */
let waiting: StreamEvent[] | null = null;
let loading: AbortController | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;

/** Begin to follow the service; once per page. */
export function startConsole(): void {
  send = connectStream(receive);
  onWantedTraces(want);
  subscribeToken(want);
  addEventListener("pagehide", () => send({ type: "bye" }));
  addEventListener("pageshow", (event) => {
    if (event.persisted) want();
  });
  want();
}

const want = (): void => send({ type: "want", token: currentToken(), traces: wantedTraces() });

function receive(message: FromStream): void {
  switch (message.type) {
    case "connection":
      connectionCell.set(message.connection);
      if (message.connection === "unauthorized") void askForToken(message.refused).then(want);
      break;
    case "token":
      setToken(message.token);
      break;
    case "open":
      if (bootId !== "" && bootId !== message.bootId) clearAll();
      if (message.gap || bootId !== message.bootId) reloadAll();
      bootId = message.bootId;
      tracesDelivered(message.traces, message.gap);
      break;
    case "resync":
      reloadAll();
      reloadTraces();
      break;
    case "event":
      if (message.event.name === "metrics") serviceClock.heard(message.event.data.now);
      if (message.event.name === "spans") applySpans(message.event.seq, message.event.data);
      else if (waiting !== null) waiting.push(message.event);
      else if (message.event.seq > seq) apply(message.event);
      break;
  }
}

function apply(event: StreamEvent): void {
  switch (event.name) {
    case "runs":
      applyRuns(event.data);
      break;
    case "metrics":
      applyMetrics(event.data);
      break;
    case "alerts":
      alertsCell.set(event.data);
      break;
    case "traffic":
      trafficCell.set(event.data);
      break;
    case "spans":
      break;
  }
}

function clearAll(): void {
  serviceClock.clear();
  clearRuns();
  clearTraces();
  clearHistory();
  alertsCell.set([]);
  trafficCell.set(null);
}

function reloadAll(): void {
  void loadSnapshot();
  reloadHistory();
}

async function loadSnapshot(): Promise<void> {
  clearTimeout(retry);
  loading?.abort();
  const abort = (loading = new AbortController());
  waiting = [];
  try {
    const snapshot = await apiGet<Snapshot>("/console/snapshot", abort.signal);
    if (abort.signal.aborted) return;
    const events = waiting;
    waiting = null;
    // The stream of another process follows; it brings a snapshot of its own.
    if (bootId !== "" && snapshot.boot_id !== bootId) return;
    serviceClock.heard(snapshot.time);
    seq = snapshot.seq;
    loadRuns(snapshot.runs);
    alertsCell.set(snapshot.alerts);
    trafficCell.set(snapshot.traffic);
    linksCell.set(snapshot.links);
    versionCell.set(snapshot.version);
    for (const event of events) if (event.seq > seq) apply(event);
  } catch {
    if (abort.signal.aborted) return;
    waiting = null;
    retry = setTimeout(() => void loadSnapshot(), RETRY_MS);
  }
}
