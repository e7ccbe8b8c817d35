/**
 * Makes `src/api/schema.ts`, what the page knows of the service's JSON, from the OpenAPI document on standard
 * input. With `--check` it only says whether the file is what it would be.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";
import { format, resolveConfig } from "prettier";

const FILE = fileURLToPath(new URL("src/api/schema.ts", import.meta.url));
const BANNER = "/* Made from the service's OpenAPI document by `make generate`: change that, not this. */\n";

const made = await source((await json(process.stdin)).components.schemas);
if (!process.argv.includes("--check")) writeFileSync(FILE, made);
else if (readFileSync(FILE, "utf8") !== made) {
  console.error(`${FILE} is not what the OpenAPI document says: run \`make generate\``);
  process.exitCode = 1;
}

async function source(schemas) {
  const types = await compile(together(schemas), "Schemas", {
    additionalProperties: false, // unless a schema says that there may be more
    bannerComment: "",
    format: false,
    ignoreMinAndMaxItems: true, // as tuples they would be hundreds of lines
  });
  return format(`${BANNER}\n${types}\n${names(schemas)}`, {
    ...(await resolveConfig(FILE)),
    parser: "typescript",
  });
}

/** One schema with a member for each, since only what is referred to has a type. */
function together(schemas) {
  const known = Object.keys(schemas).sort();
  const properties = Object.fromEntries(known.map((name) => [name, { $ref: `#/$defs/${name}` }]));
  const text = JSON.stringify({ type: "object", $defs: schemas, properties, required: known });
  // A title would be a type of its own: `Id`, `Id1`, `Id2`.
  return JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/"), (key, value) =>
    key === "title" && typeof value === "string" ? undefined : value,
  );
}

/** The sets of names once more as values: types are gone when the page runs. */
function names(schemas) {
  const sets = Object.entries(schemas).flatMap(([name, { enum: values }]) =>
    values === undefined ? [] : [`${name}: ${JSON.stringify(values)},`],
  );
  return `/** The sets of names, for when the page runs. */\nexport const NAMES = {\n${sets.join("\n")}\n} as const;\n`;
}
