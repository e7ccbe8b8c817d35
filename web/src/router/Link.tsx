import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { addressFor } from "../api/root";
import { navigate } from "./router";

/** A link to a page of the console: followed without loading anew, unless the reader wants another tab. */
export function Link({ href, onClick, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    const elsewhere = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0;
    if (event.defaultPrevented || elsewhere) return;
    event.preventDefault();
    navigate(href);
  };
  return <a href={addressFor(href)} onClick={follow} {...rest} />;
}
