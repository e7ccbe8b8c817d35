import { useEffect, useState } from "react";
import { subscribeAnnouncement } from "./announce";

/** The page's one polite live region. */
export function LiveRegion() {
  const [text, setText] = useState("");
  useEffect(() => subscribeAnnouncement(setText), []);
  return (
    <div role="status" aria-live="polite" className="visually-hidden" data-testid="live-region">
      {text}
    </div>
  );
}
