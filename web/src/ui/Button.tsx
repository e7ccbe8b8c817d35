import type { Ref } from "react";
import { Button as AriaButton, type ButtonProps } from "react-aria-components";

interface Props extends Omit<ButtonProps, "className"> {
  readonly ref?: Ref<HTMLButtonElement>;
  readonly look?: "plain" | "primary" | "danger" | "quiet";
}

/** `look` says how much it stands out: the one main action, one that ends something, or one that is hardly there. */
export function Button({ look = "plain", ...rest }: Props) {
  return <AriaButton {...rest} className={`button button-${look}`} />;
}
