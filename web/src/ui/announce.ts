/** Told to screen readers in one polite live region; several at once become one sentence after the other. */

const SETTLE_MS = 150;

let texts: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<(text: string) => void>();

export function announce(text: string): void {
  texts.push(text);
  timer ??= setTimeout(() => {
    const all = texts.join(" ");
    texts = [];
    timer = undefined;
    listeners.forEach((listener) => listener(all));
  }, SETTLE_MS);
}

export function subscribeAnnouncement(listener: (text: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
