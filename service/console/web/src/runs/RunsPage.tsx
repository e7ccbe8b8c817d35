import { memo } from "react";
import { formatCount, plural } from "../format";
import { currentLocation, navigate, useLocation } from "../router";
import { statusLook } from "../theme/status";
import { Button, ErrorNote, Field, Panel } from "../ui";
import { Facet, type FacetChoice } from "./Facet";
import { type Filters, filterPath, matches, readFilters, STATUSES } from "./filters";
import { RunRow } from "./RunRow";
import type { RunRowData } from "./row";
import { MAX_OLDER, useOlderRuns } from "./useOlderRuns";
import { useShownRuns } from "./useShownRuns";
import { useStableList } from "./useStableList";
import "./runs.css";

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
  const here = new Set(shown.all.map((row) => row.id));
  const olderRows = useStableList(older.rows.filter((row) => !here.has(row.id) && matches(row, filters)));

  return (
    <>
      <h1>Runs</h1>
      <Panel title="Of this process" aside={<NewRuns count={shown.newCount} show={shown.showNew} />}>
        <div className="runs-toolbar" role="search">
          <Field label="Search" hint="Words from the id, workflow, status, kind or cause.">
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
        </div>
        <Facets search={search} rows={shown.all} />
        <p className="dim" data-testid="match-count">
          {plural(shown.rows.length, "run")} of {formatCount(shown.all.length)}
          {shown.rows.length > MAX_ROWS && `, the latest ${MAX_ROWS} are shown`}
        </p>
        <Rows label="Runs" rows={shown.rows} limit={MAX_ROWS} />
      </Panel>
      <Panel title="Older and elsewhere">
        <p className="dim">
          Background runs that the engine remembers, also those of other processes that share it. They have no
          counts of attempts here: their traces are in Tempo.
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
