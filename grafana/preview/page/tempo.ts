// A stand-in for Tempo's search: the service's own `GET /traces`, and of TraceQL just `{ a && b } | select(...)`, with =, =~, >=, != nil.
import { FieldType, type DataFrame, type TimeRange } from "@grafana/data";

interface Span {
  trace: string;
  id: string;
  name: string;
  start: number;
  end: number;
  attributes: Map<string, any>;
  resource: Map<string, any>;
  root: string;
}

const plain = (value: any): any =>
  value?.stringValue ??
  value?.doubleValue ??
  value?.boolValue ??
  (value?.intValue === undefined ? undefined : Number(value.intValue));
const mapped = (attributes: any[] = []): Map<string, any> =>
  new Map(attributes.map(({ key, value }) => [key, plain(value)]));

async function spans(state: string): Promise<Span[]> {
  const document = await (await fetch(`/traces/${state}`)).json();
  const all: Span[] = [];
  const roots = new Map<string, string>();
  for (const { resource, scopeSpans } of document.resourceSpans) {
    const service = mapped(resource.attributes);
    for (const span of scopeSpans.flatMap((scope: any) => scope.spans)) {
      if (!span.parentSpanId) roots.set(span.traceId, span.name);
      all.push({
        trace: span.traceId,
        id: span.spanId,
        name: span.name,
        start: Number(span.startTimeUnixNano),
        end: Number(span.endTimeUnixNano ?? 0),
        attributes: mapped(span.attributes),
        resource: service,
        root: "",
      });
    }
  }
  return all.map((span) => ({ ...span, root: roots.get(span.trace) ?? "" }));
}

function meets(span: Span, condition: string): boolean {
  const parts = /^(\S+)\s*(=~|!~|!=|>=|>|=)\s*(.+)$/.exec(condition.trim());
  if (!parts) throw new Error(`not understood: ${condition}`);
  const [, subject, operator, literal] = parts;
  const value =
    subject === "name"
      ? span.name
      : subject.startsWith("resource.")
        ? span.resource.get(subject.slice(9))
        : span.attributes.get(subject.replace(/^span\./, ""));
  if (literal === "nil") return (value === undefined) !== (operator === "!=");
  if (value === undefined) return false;
  const wanted = literal.startsWith('"') ? literal.slice(1, -1) : Number(literal);
  if (operator === "=~") return new RegExp(`^(?:${wanted})$`).test(String(value));
  if (operator === "!~") return !new RegExp(`^(?:${wanted})$`).test(String(value));
  if (operator === ">=") return value >= wanted;
  if (operator === ">") return value > wanted;
  return operator === "!=" ? value !== wanted : value === wanted;
}

function within(span: Span, range: TimeRange): boolean {
  return span.end > 0 && span.end / 1e6 >= range.from.valueOf() && span.start / 1e6 <= range.to.valueOf();
}

/** Rows as Grafana's Tempo source makes them for `tableType: spans`. */
export async function search(
  target: any,
  query: string,
  state: string,
  range: TimeRange,
): Promise<DataFrame[]> {
  const parts = /^\{(.+?)\}\s*(?:\|\s*select\((.*)\))?$/s.exec(query.trim());
  if (!parts) throw new Error(`not understood: ${query}`);
  const conditions = parts[1].split("&&");
  const shown = (parts[2] ?? "")
    .split(",")
    .map((name) => name.trim().replace(/^span\./, ""))
    .filter(Boolean);
  const found = (await spans(state)).filter(
    (span) => within(span, range) && conditions.every((condition) => meets(span, condition)),
  );
  const perTrace = new Map<string, number>();
  const rows = found
    .sort((one, other) => other.start - one.start)
    .filter(({ trace }) => {
      const count = perTrace.get(trace) ?? 0;
      if (count >= (target.spss ?? 3) || (!count && perTrace.size >= (target.limit ?? 20))) return false;
      perTrace.set(trace, count + 1);
      return true;
    });
  const column = (name: string, type: FieldType, values: any[], config: any = {}): any => ({
    name,
    type,
    values,
    config,
  });
  const fields = [
    column(
      "Trace Service",
      FieldType.string,
      rows.map(({ resource }) => resource.get("service.name")),
    ),
    column(
      "Trace Name",
      FieldType.string,
      rows.map(({ root }) => root),
    ),
    column(
      "Span ID",
      FieldType.string,
      rows.map(({ id }) => id),
      { custom: { width: 180 }, links: [{ title: "Span", url: "#" }] },
    ),
    column(
      "Start time",
      FieldType.time,
      rows.map(({ start }) => start / 1e6),
      { custom: { width: 200 } },
    ),
    column(
      "Name",
      FieldType.string,
      rows.map(({ name }) => name),
    ),
    ...[...shown].sort().map((name) =>
      column(
        name,
        FieldType.string,
        rows.map(({ attributes }) => attributes.get(name)),
      ),
    ),
    column(
      "Duration",
      FieldType.number,
      rows.map(({ start, end }) => end - start),
      { unit: "ns", custom: { width: 120 } },
    ),
  ];
  return [{ refId: target.refId, fields, length: rows.length }];
}
