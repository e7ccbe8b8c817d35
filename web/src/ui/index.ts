export { announce } from "./announce";
export { Button } from "./Button";
export { CountChip, StatusChip } from "./Chip";
export { CopyButton } from "./CopyButton";
export { ErrorNote } from "./ErrorNote";
export { type ControlProps, Field } from "./Field";
export { lazyPart } from "./lazyPart";
export { Panel } from "./Panel";
