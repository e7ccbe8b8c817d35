import { expect, test } from "vitest";
import { addressFor, pathOf, rootPath } from "./root";

test.each([
  ["http://127.0.0.1:8080/assets/index-C01Hnw9K.js", ""],
  ["https://example.com/retryscope/assets/index-C01Hnw9K.js", "/retryscope"],
  ["https://example.com/a/b/assets/stream.worker-C01Hnw9K.js", "/a/b"],
  ["https://example.com/assets/assets/index-C01Hnw9K.js", "/assets"],
  ["http://localhost:5173/src/api/root.ts", ""],
])("a module loaded from %s is of a service at %j", (url, root) => {
  expect(rootPath(url)).toBe(root);
});

test.each([
  ["/retryscope", "/"],
  ["/retryscope/", "/"],
  ["/retryscope/runs/a", "/runs/a"],
  ["/retryscope2/runs", "/retryscope2/runs"],
  ["/runs", "/runs"],
])("below /retryscope %s is the page %s", (address, path) => {
  expect(pathOf(address, "/retryscope")).toBe(path);
});

test("without a proxy an address is a path", () => {
  expect(addressFor("/runs")).toBe("/runs");
  expect(pathOf("/runs")).toBe("/runs");
  expect(pathOf("/")).toBe("/");
});
