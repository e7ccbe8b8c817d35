import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { chooseTheme, type ThemeChoice, useThemeChoice } from "../theme/theme";

const CHOICES: readonly { readonly id: ThemeChoice; readonly label: string }[] = [
  { id: "light", label: "Light" },
  { id: "dark", label: "Dark" },
  { id: "system", label: "System" },
];

export function ThemeSwitch() {
  const choice = useThemeChoice();
  return (
    <ToggleButtonGroup
      aria-label="Theme"
      className="toggle-group theme-switch"
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[choice]}
      onSelectionChange={(keys) => {
        const chosen = CHOICES.find(({ id }) => keys.has(id));
        if (chosen) chooseTheme(chosen.id);
      }}
    >
      {CHOICES.map(({ id, label }) => (
        <ToggleButton key={id} id={id} className="toggle">
          {label}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
