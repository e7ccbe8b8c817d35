import { ToggleButton, ToggleButtonGroup } from "react-aria-components";

export interface FacetChoice {
  readonly value: string;
  readonly label: string;
  readonly count: number;
}

interface Props {
  readonly title: string;
  readonly choices: readonly FacetChoice[];
  readonly chosen: string;
  readonly onChoose: (value: string) => void;
}

/** One choice at most of some values; choosing it again takes it back. Nothing where there is nothing to choose. */
export function Facet({ title, choices, chosen, onChoose }: Props) {
  if (choices.length === 0) return null;
  return (
    <div className="facet">
      <span aria-hidden="true">
        <strong>{title}</strong>
      </span>
      <ToggleButtonGroup
        aria-label={title}
        className="facet"
        selectionMode="single"
        selectedKeys={chosen === "" ? [] : [chosen]}
        onSelectionChange={(keys) => onChoose(String([...keys][0] ?? ""))}
      >
        {choices.map(({ value, label, count }) => (
          <ToggleButton key={value} id={value} className="facet-button">
            {label} <span className="facet-count">{count}</span>
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
    </div>
  );
}
