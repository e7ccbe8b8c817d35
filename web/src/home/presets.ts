/** Runs to look at, each with what it shows: the seed makes it the same each time. */
export interface Preset {
  readonly title: string;
  readonly workflow: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export const PRESETS: readonly Preset[] = [
  {
    title: "An exhausted retry",
    workflow: "retry",
    params: { failure_rate: 1, max_retries: 3, base_delay: 0.5, seed: 1 },
  },
  { title: "A cancel with cleanup", workflow: "cancellation", params: { cleanup: 0.5, seed: 1 } },
  {
    title: "A timeout",
    workflow: "timeouts",
    params: {
      operations: [
        { name: "Database Query", duration: 1, timeout: 2.5 },
        { name: "API Call", duration: 3, timeout: 1.5 },
      ],
      seed: 1,
    },
  },
  {
    title: "Failed tasks in a success",
    workflow: "concurrent",
    params: { tasks: 10, failure_rate: 0.3, seed: 3 },
  },
  { title: "A checkout on real dependencies", workflow: "checkout", params: { seed: 1 } },
];
