import { expect, test } from "vitest";
import { type ServerEvent, SseParser } from "./sse";

function parse(...pieces: string[]): ServerEvent[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => [...parser.push(piece)]);
}

test("an event may come in any pieces", () => {
  const text = 'id: 7\nevent: runs\ndata: [1,\ndata: 2]\n\n: still here\n\nid: 8\ndata: {"a": ": "}\n\n';
  const expected = [
    { id: "7", event: "runs", data: "[1,\n2]" },
    { id: "", event: null, data: "" },
    { id: "8", event: "message", data: '{"a": ": "}' },
  ];
  expect(parse(text)).toEqual(expected);
  expect(parse(...text.split(""))).toEqual(expected);
});

test("lines may end with CRLF, split between two pieces too", () => {
  expect(parse("data: a\r", "\ndata: b\r\n\r\n").map(({ data }) => data)).toEqual(["a\nb"]);
  expect(parse("data: a\r\n\r", "\ndata: b\r\n\r\n").map(({ data }) => data)).toEqual(["a", "b"]);
});

test("an event without its empty line is not yet one", () => {
  expect(parse("data: a\n")).toEqual([]);
});
