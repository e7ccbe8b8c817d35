/** The API token: asked for when the service wants one, shared by the open tabs, gone with the last, and never in an address. */

import { addressFor } from "./root";

/** Of this service: beside it, below another path, there may be another. */
const KEY = `retryscope.token${addressFor("")}`;

export interface TokenRequest {
  /** Whether the last token was refused. */
  readonly refused: boolean;
  /** Whether the reader put the question off. */
  readonly dismissed: boolean;
}

let current: string | null = sessionStorage.getItem(KEY);
let request: TokenRequest | null = null;
let waiting: (() => void)[] = [];
const listeners = new Set<() => void>();

export const currentToken = (): string | null => current;
export const tokenRequest = (): TokenRequest | null => request;

/** Called when a token is wanted, and when there is a new one. */
export function subscribeToken(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function setToken(token: string): void {
  if (token === current && request === null) return;
  current = token;
  request = null;
  sessionStorage.setItem(KEY, token);
  const resumed = waiting;
  waiting = [];
  resumed.forEach((resume) => resume());
  listeners.forEach((listener) => listener());
}

/** Ends when there is a token other than `refused`, the one that the service did not accept. */
export function askForToken(refused: string | null): Promise<void> {
  if (current !== refused) return Promise.resolve();
  const answer = new Promise<void>((resolve) => waiting.push(resolve));
  if (request === null) {
    request = { refused: refused !== null, dismissed: false };
    listeners.forEach((listener) => listener());
  }
  return answer;
}

/** Put the question off, or ask it again. */
export function dismissTokenRequest(dismissed: boolean): void {
  if (request === null || request.dismissed === dismissed) return;
  request = { ...request, dismissed };
  listeners.forEach((listener) => listener());
}
