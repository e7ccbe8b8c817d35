import { expect, it } from "vitest";
import { addressOf } from "./address";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

it("tells background runs, inline runs and traces apart", () => {
  expect(addressOf("37028277-b256-4e06-93bf-b154b6745e46").kind).toBe("background");
  expect(addressOf(TRACE)).toEqual({ kind: "trace", id: TRACE, traceId: TRACE });
  expect(addressOf(`${TRACE}-${SPAN}`)).toMatchObject({ kind: "inline", traceId: TRACE, spanId: SPAN });
});

it("takes anything else for the id of a background run", () => {
  expect(addressOf(`${TRACE}-`).kind).toBe("background");
  expect(addressOf(TRACE.toUpperCase()).kind).toBe("background");
});
