import { Fragment } from "react";

/** The exception's own attributes are shown as what they are, above all others. */
const SHOWN_ELSEWHERE = new Set(["exception.message", "exception.stacktrace", "exception.type"]);

/** Attributes as a list of names and values. Values are text, whatever they hold. */
export function Attributes({ attributes }: { attributes: Readonly<Record<string, unknown>> }) {
  const known = Object.entries(attributes).filter(([name]) => !SHOWN_ELSEWHERE.has(name));
  if (known.length === 0) return null;
  return (
    <dl className="attributes">
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>
            <Dotted name={name} />
          </dt>
          <dd title={String(value)}>{textOf(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A name that breaks between its words only. */
function Dotted({ name }: { name: string }) {
  return name.split(/(?<=[._])/).map((part, index) => (
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

/** A number in as many digits as a reader can use; all of them are in the JSON. */
export function textOf(value: unknown): string {
  if (typeof value === "number")
    return String(Math.abs(value) < 1000 ? Number(value.toPrecision(4)) : Number(value.toFixed(1)));
  return typeof value === "string" ? value : JSON.stringify(value);
}
