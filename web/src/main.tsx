import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { startConsole } from "./store";
import "./theme/theme.css";
import "./theme/base.css";
import "./ui/ui.css";
import { startTheme } from "./theme/theme";

// React Aria adds a <style> unless an element has this id; the content policy would refuse it, and base.css has it.
const placeholder = document.createElement("meta");
placeholder.id = "react-aria-pressable-style";
document.head.append(placeholder);

startTheme();
startConsole();
const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);
