/**
 * The path below which the service is shown, without a slash at its end: a reverse proxy may have one.
 *
 * Known from where this very file was loaded, so that a page and a worker find it alike.
 */
export const rootPath = (moduleUrl: string): string =>
  /^(.*)\/assets\/[^/]*$/.exec(new URL(moduleUrl).pathname)?.[1] ?? "";

const ROOT = rootPath(import.meta.url);

/** The address of a path of the service: `/runs` may be `/retryscope/runs`. */
export const addressFor = (path: string): string => `${ROOT}${path}`;

/** The path of the service that an address names. */
export function pathOf(address: string, root = ROOT): string {
  if (address === root) return "/";
  return address.startsWith(`${root}/`) ? address.slice(root.length) : address;
}
