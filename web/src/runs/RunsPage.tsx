import { memo, useEffect } from "react";
import { formatCount, plural } from "../format";
import { currentLocation, Link, navigate, runPath, useLocation } from "../router";
import { statusLook } from "../theme/status";
import { Button, ErrorNote, Field, Panel } from "../ui";
import { rememberRunsPath } from "./back";
import { Facet, type FacetChoice } from "./Facet";
import { FAILURES, type Filters, filterPath, matches, readFilters, STATUSES, traceIdOf } from "./filters";
import { LENGTHS, localOf, textOfLocal } from "./range";
import { RunRow } from "./RunRow";
import type { RunRowData } from "./row";
import { MAX_OLDER, useOlderRuns } from "./useOlderRuns";
import { useShownRuns } from "./useShownRuns";
import { useStableList } from "./useStableList";
import "./runs.css";

/** Types of errors to choose from: the most frequent ones. */
const MAX_ERRORS = 6;

/** Rows of this process that are drawn; the search finds the others. */
const MAX_ROWS = 200;

function change(changed: Partial<Filters>): void {
  const filters = readFilters(currentLocation().search);
  navigate(filterPath({ ...filters, ...changed }), { replace: true });
}

/** All runs that are known, to search and to narrow down. */
export function RunsPage() {
  const { search } = useLocation();
  const filters = readFilters(search);
  const shown = useShownRuns(filters);
  const older = useOlderRuns(filters);
  const traceId = traceIdOf(filters.text);
  useEffect(() => rememberRunsPath(`/runs${search}`), [search]);
  const here = new Set(shown.all.map((row) => row.id));
  const olderRows = useStableList(older.rows.filter((row) => !here.has(row.id) && matches(row, filters)));

  return (
    <>
      <h1>Runs</h1>
      <Panel title="Of this process" aside={<NewRuns count={shown.newCount} show={shown.showNew} />}>
        <div className="runs-toolbar" role="search">
          <Field label="Search" hint="Words from the ids of run and trace, workflow, status, cause or error.">
            {(control) => (
              <input
                {...control}
                type="search"
                autoComplete="off"
                value={filters.text}
                onChange={(event) => change({ text: event.target.value })}
              />
            )}
          </Field>
          <TimeField name="since" label="Started after" value={filters.since} />
          <TimeField name="until" label="Started before" value={filters.until} />
        </div>
        <Facets search={search} rows={shown.all} />
        <p className="dim" data-testid="match-count">
          {shown.all.length === 0 ? (
            <>
              None yet: <Link href="/">start one</Link>
            </>
          ) : (
            `${plural(shown.rows.length, "run")} of ${formatCount(shown.all.length)}`
          )}
          {shown.rows.length > MAX_ROWS && `, the latest ${MAX_ROWS} are shown`}
          {traceId !== null && (
            <>
              {" · "}
              <Link href={runPath(traceId)}>Open the trace {traceId.slice(0, 8)}</Link>
            </>
          )}
        </p>
        <Rows label="Runs" rows={shown.rows} limit={MAX_ROWS} />
      </Panel>
      <Panel title="Older and elsewhere">
        <p className="dim">
          Background runs that the engine remembers, also those of other processes that share it, whose traces
          are in Tempo.
        </p>
        <Rows label="Older runs" rows={olderRows} limit={MAX_OLDER} />
        <ErrorNote message={older.error} />
        <div>
          {older.more ? (
            <Button onPress={older.load}>{older.rows.length === 0 ? "Load older runs" : "Load more"}</Button>
          ) : (
            <p className="dim">{olderRows.length === 0 ? "There are none that match." : "These are all."}</p>
          )}
        </div>
      </Panel>
    </>
  );
}

interface TimeFieldProps {
  readonly name: "since" | "until";
  readonly label: string;
  readonly value: string;
}

function TimeField({ name, label, value }: TimeFieldProps) {
  return (
    <Field label={label}>
      {(control) => (
        <input
          {...control}
          type="datetime-local"
          value={localOf(value)}
          onChange={(event) => change({ [name]: textOfLocal(event.target.value) })}
        />
      )}
    </Field>
  );
}

interface RowsProps {
  readonly label: string;
  readonly rows: readonly RunRowData[];
  readonly limit: number;
}

const Rows = memo(function Rows({ label, rows, limit }: RowsProps) {
  return (
    <ul className="run-list" aria-label={label}>
      {rows.slice(0, limit).map((row) => (
        <RunRow key={row.id} row={row} cancel={row.state !== "ended"} />
      ))}
    </ul>
  );
});

/** Always there, so that the page does not jump when the first one comes. */
function NewRuns({ count, show }: { readonly count: number; readonly show: () => void }) {
  return (
    <Button isDisabled={count === 0} onPress={show}>
      {formatCount(count)} new
    </Button>
  );
}

interface FacetsProps {
  readonly search: string;
  readonly rows: readonly RunRowData[];
}

/** Each count is what choosing it would show. */
const Facets = memo(function Facets({ search, rows }: FacetsProps) {
  const filters = readFilters(search);

  const count = (changed: Partial<Filters>): number =>
    rows.filter((row) => matches(row, { ...filters, ...changed })).length;
  const workflows = [...new Set(rows.map((row) => row.workflow))].sort();
  if (filters.workflow !== "" && !workflows.includes(filters.workflow)) workflows.push(filters.workflow);
  const errors = frequentErrors(rows, filters.error);
  const statuses: FacetChoice[] = STATUSES.map((status) => ({
    value: status,
    label: `${statusLook(status).symbol} ${statusLook(status).label}`,
    count: count({ status }),
  }));
  return (
    <div className="facets">
      <Facet
        title="Status"
        choices={statuses}
        chosen={filters.status}
        onChoose={(status) => change({ status })}
      />
      <Facet
        title="Failures"
        choices={FAILURES.map((value) => ({ value, label: value, count: count({ failures: value }) }))}
        chosen={filters.failures}
        onChoose={(failures) => change({ failures })}
      />
      <Facet
        title="Started"
        choices={LENGTHS.map(({ value, label }) => ({ value, label, count: count({ since: value }) }))}
        chosen={filters.since}
        onChoose={(since) => change({ since })}
      />
      <Facet
        title="Error"
        choices={errors.map((value) => ({ value, label: value, count: count({ error: value }) }))}
        chosen={filters.error}
        onChoose={(error) => change({ error })}
      />
      <Facet
        title="Workflow"
        choices={workflows.map((workflow) => ({
          value: workflow,
          label: workflow,
          count: count({ workflow }),
        }))}
        chosen={filters.workflow}
        onChoose={(workflow) => change({ workflow })}
      />
      <Facet
        title="Retries"
        choices={[{ value: "1", label: "retried", count: count({ retried: true }) }]}
        chosen={filters.retried ? "1" : ""}
        onChoose={(value) => change({ retried: value === "1" })}
      />
    </div>
  );
});

function frequentErrors(rows: readonly RunRowData[], chosen: string): readonly string[] {
  const counts = new Map<string, number>();
  for (const type of rows.flatMap((row) => row.errorTypes)) counts.set(type, (counts.get(type) ?? 0) + 1);
  const frequent = [...counts.keys()].sort((one, other) => (counts.get(other) ?? 0) - (counts.get(one) ?? 0));
  const shown = frequent.slice(0, MAX_ERRORS).sort();
  return chosen === "" || shown.includes(chosen) ? shown : [...shown, chosen];
}
