import { expect, test } from "vitest";
import { curlCommand, shellQuote } from "./curl";

test("quotes keep a shell from reading anything into a value", () => {
  expect(shellQuote('O\'Brien $(x) `y` "z" \\')).toBe(`'O'\\''Brien $(x) \`y\` "z" \\'`);
});

test("the command posts the parameters", () => {
  expect(curlCommand("http://127.0.0.1:8080", "retry", { seed: null }, false)).toBe(
    `curl -X POST 'http://127.0.0.1:8080/workflows/retry/runs' -H 'Content-Type: application/json' -d '{"seed":null}'`,
  );
});

test("the command names the token's variable, never the token", () => {
  expect(curlCommand("http://h", "retry", {}, true)).toContain(
    '-H "Authorization: Bearer $RETRYSCOPE_API_TOKEN"',
  );
});
