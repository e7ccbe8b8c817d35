import type { KeyboardEvent, RefObject } from "react";
import { Input, SearchField, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { formatCount } from "../format";
import { Button } from "../ui";
import type { Filter, Only } from "./filter";
import { useZoom, type Zoom } from "./zoom";

interface ToolbarProps {
  filter: Filter;
  onFilter: (filter: Filter) => void;
  onCollapse: () => void;
  onExpand: () => void;
  onHelp: () => void;
  /** Enter in the search field. */
  onFound: () => void;
  zoom: Zoom;
  search: RefObject<HTMLInputElement | null>;
  /** How many rows there are, for who can't see them. */
  count: number;
  counts: Readonly<Record<Only, number>>;
}

export function Toolbar(props: ToolbarProps) {
  const { filter, onFilter, onCollapse, onExpand, onHelp, onFound, zoom, search, count, counts } = props;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") onFound();
  };
  return (
    <div className="waterfall-tools">
      <SearchField
        aria-label="Find spans"
        value={filter.query}
        onChange={(query) => onFilter({ ...filter, query })}
        onKeyDown={onKeyDown}
      >
        <Input ref={search} placeholder="Find spans  ( / )" />
      </SearchField>
      <ToggleButtonGroup
        aria-label="Spans to show"
        className="toggle-group"
        selectionMode="single"
        disallowEmptySelection
        selectedKeys={[filter.only]}
        onSelectionChange={(keys) => onFilter({ ...filter, only: ([...keys][0] ?? "all") as Only })}
      >
        <ToggleButton id="all" className="toggle">
          All
        </ToggleButton>
        <ToggleButton id="errors" className="toggle">
          Errors {formatCount(counts.errors)}
        </ToggleButton>
        <ToggleButton id="retries" className="toggle">
          Retries {formatCount(counts.retries)}
        </ToggleButton>
      </ToggleButtonGroup>
      <Button onPress={onCollapse}>Collapse all</Button>
      <Button onPress={onExpand}>Expand all</Button>
      <ResetZoom zoom={zoom} />
      <Button aria-label="Keys of the waterfall" onPress={onHelp}>
        ?
      </Button>
      <span role="status" className="visually-hidden">
        {filter.query.trim() && `${count} rows`}
      </span>
      <Legend />
    </div>
  );
}

function ResetZoom({ zoom }: { zoom: Zoom }) {
  return (
    <Button isDisabled={useZoom(zoom) === null} onPress={() => zoom.set(null)}>
      Reset zoom
    </Button>
  );
}

const LEGEND = [
  ["bar-attempt tone-success", "", "ran"],
  ["bar-attempt tone-error", "✕", "failed"],
  ["bar-timeout tone-timeout", "◷", "timed out"],
  ["bar-backoff tone-backoff", "", "backoff"],
  ["bar-task tone-cancelled", "⊘", "cancelled"],
  ["bar-cleanup tone-cleanup", "", "cleanup"],
] as const;

function Legend() {
  return (
    <div className="waterfall-legend" aria-hidden="true">
      {LEGEND.map(([look, mark, text]) => (
        <span key={text}>
          <i className={`bar ${look}`}>{mark && <b className="bar-mark">{mark}</b>}</i>
          {text}
        </span>
      ))}
      <span>
        <i className="legend-cancel" />
        cancel
      </span>
      <span>
        <i className="legend-tick" />
        limit
      </span>
    </div>
  );
}
