/** Where a reader came from: the list of runs with the filters that they had chosen. */

let last = "/runs";

export const lastRunsPath = (): string => last;

export function rememberRunsPath(path: string): void {
  last = path;
}
