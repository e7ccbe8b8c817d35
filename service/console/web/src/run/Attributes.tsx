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
          <dt>{name}</dt>
          <dd>{textOf(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function textOf(value: unknown): string {
  // 0.30000000000000004 tells a reader less than 0.3.
  if (typeof value === "number") return String(Number(value.toPrecision(12)));
  return typeof value === "string" ? value : JSON.stringify(value);
}
