/** What there is once per process: its alerts, its traffic, the links, the state of the connection. */

import type { AlertState, Links, Traffic } from "../api/types";
import type { Connection } from "../stream/messages";
import { Cell, useCell } from "./cell";

export const connectionCell = new Cell<Connection>("connecting");
export const alertsCell = new Cell<readonly AlertState[]>([]);
export const trafficCell = new Cell<Traffic | null>(null);
export const linksCell = new Cell<Links>({ grafana: null, prometheus: null });
export const versionCell = new Cell<string | null>(null);

export const useConnection = (): Connection => useCell(connectionCell);
export const useAlerts = (): readonly AlertState[] => useCell(alertsCell);
/** null until the first snapshot. */
export const useTraffic = (): Traffic | null => useCell(trafficCell);
export const useLinks = (): Links => useCell(linksCell);
/** null until the first snapshot. */
export const useVersion = (): string | null => useCell(versionCell);
