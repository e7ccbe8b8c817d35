import { type ComponentType, lazy } from "react";
import { addressFor } from "../api/root";

const RETRY_MS = 1000;

/**
 * A component that is loaded when it is shown for the first time.
 *
 * If that fails, the service is away, or another version of it has the file under another name, and browsers remember
 * that a module could not be loaded: so the whole page is loaded anew, once the service answers.
 */
export function lazyPart<Props>(load: () => Promise<ComponentType<Props>>) {
  return lazy(async () => {
    try {
      return { default: await load() };
    } catch {
      await serviceAnswers();
      location.reload();
      return new Promise<never>(() => undefined);
    }
  });
}

async function serviceAnswers(): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    const answer = await fetch(addressFor("/health/live"), { cache: "no-store" }).catch(() => null);
    if (answer?.ok) return;
  }
}
