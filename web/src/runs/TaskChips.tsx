import type { TaskCounts } from "../api/types";
import { CountChip } from "../ui";
import { TASK_STATES } from "./tasks";

interface Props {
  readonly tasks: TaskCounts;
  /** Leaves out what is as it should be: in a row there is room for the rest only. */
  readonly short?: boolean;
}

/** How many tasks of a run ended how. */
export function TaskChips({ tasks, short = false }: Props) {
  return TASK_STATES.filter(
    ([key]) => tasks[key] > 0 && !(short && (key === "succeeded" || key === "running")),
  ).map(([key, status, word]) => <CountChip key={key} status={status} count={tasks[key]} word={word} />);
}
