import { Cell, useCell } from "../store/cell";

export type ThemeChoice = "light" | "dark" | "system";

const KEY = "retryscope.theme";
const systemDark = matchMedia("(prefers-color-scheme: dark)");

const choiceCell = new Cell<ThemeChoice>(storedChoice());
const darkCell = new Cell(false);

export const useThemeChoice = (): ThemeChoice => useCell(choiceCell);
/** Whether the page is dark now. */
export const useDark = (): boolean => useCell(darkCell);

/** Apply the stored choice; once per page, before anything is rendered. */
export function startTheme(): void {
  systemDark.addEventListener("change", applyTheme);
  addEventListener("storage", (event) => {
    if (event.key === KEY) choose(storedChoice());
  });
  applyTheme();
}

export function chooseTheme(choice: ThemeChoice): void {
  localStorage.setItem(KEY, choice);
  choose(choice);
}

function choose(choice: ThemeChoice): void {
  choiceCell.set(choice);
  applyTheme();
}

function applyTheme(): void {
  const choice = choiceCell.get();
  const dark = choice === "dark" || (choice === "system" && systemDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  darkCell.set(dark); // who draws anew because of it reads the colours from the document
}

function storedChoice(): ThemeChoice {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}
