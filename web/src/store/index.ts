export { startConsole } from "./console";
export { type HistoryState, reloadHistory, useHistory } from "./history";
export { type Runs, useRun, useRuns } from "./runs";
export { useAlerts, useConnection, useLinks, useTraffic, useVersion } from "./status";
export { type Trace, useTrace } from "./traces";
export { useWatchedRun, watchRun } from "./watched";
