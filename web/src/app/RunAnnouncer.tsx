import { useEffect } from "react";
import { failuresText } from "../runs/tasks";
import { now } from "../store/clock";
import { currentRun, subscribeRuns } from "../store/runs";
import { watchedRuns } from "../store/watched";
import { runStatus, statusLook } from "../theme/status";
import { announce } from "../ui";

/** Says how the runs that concern the reader come along, and nothing else. */
export function RunAnnouncer() {
  useEffect(() => {
    const said = new Map<string, string>();
    return subscribeRuns(() => {
      const watched = watchedRuns();
      for (const id of said.keys()) if (!watched.has(id)) said.delete(id);
      for (const id of watched) {
        const run = currentRun(id);
        if (run === undefined) continue;
        const status = runStatus(run);
        const before = said.get(id);
        said.set(id, status);
        // Of a run that had ended before the reader opened it there is nothing new to say.
        if (status === before || (before === undefined && run.state === "ended" && wasOver(run.ended_at)))
          continue;
        const failures = run.state === "ended" ? failuresText(run.tasks) : null;
        const more = failures === null ? "" : `, ${failures}`;
        announce(`Run ${run.workflow} ${id.slice(0, 8)}: ${statusLook(status).label}${more}.`);
      }
    });
  }, []);
  return null;
}

const wasOver = (endedAt: number | null): boolean => endedAt !== null && now() - endedAt > 5;
