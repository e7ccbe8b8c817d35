/** One server-sent event, or a comment (`event` is null). */
export interface ServerEvent {
  readonly id: string;
  readonly event: string | null;
  readonly data: string;
}

const COMMENT: ServerEvent = { id: "", event: null, data: "" };

/** Turns the pieces of a text/event-stream into events; a piece may end anywhere. */
export class SseParser {
  private rest = "";

  *push(piece: string): Generator<ServerEvent> {
    this.rest += piece;
    // A lone CR at the end may be half of a CRLF, so it waits for the next piece.
    const text = this.rest.replace(/\r\n|\r(?!$)/g, "\n");
    const end = text.lastIndexOf("\n\n");
    if (end < 0) {
      this.rest = text;
      return;
    }
    this.rest = text.slice(end + 2);
    for (const block of text.slice(0, end).split("\n\n")) yield parseBlock(block);
  }
}

function parseBlock(block: string): ServerEvent {
  let id = "";
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id") id = value;
  }
  return data.length === 0 ? COMMENT : { id, event, data: data.join("\n") };
}
