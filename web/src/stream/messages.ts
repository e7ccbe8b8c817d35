import type { StreamEvents } from "../api/types";

export type Connection = "connecting" | "live" | "lost" | "unauthorized";

export type StreamEvent = {
  [Name in keyof StreamEvents]: {
    readonly name: Name;
    readonly seq: number;
    readonly data: StreamEvents[Name];
  };
}[keyof StreamEvents];

/** From the stream to a page. */
export type FromStream =
  | { readonly type: "connection"; readonly connection: Connection; readonly refused: string | null }
  /** Changes of these traces are delivered from now on. `gap`: others may have been missed, so load all anew. */
  | {
      readonly type: "open";
      readonly bootId: string;
      readonly traces: readonly string[];
      readonly gap: boolean;
    }
  | { readonly type: "resync" }
  | { readonly type: "event"; readonly event: StreamEvent }
  /** A token that the service accepted, given in another tab. */
  | { readonly type: "token"; readonly token: string };

/** From a page to the stream. */
export type ToStream =
  | { readonly type: "want"; readonly token: string | null; readonly traces: readonly string[] }
  | { readonly type: "bye" };
