import { formatCount } from "../format";
import { statusLook } from "../theme/status";

/** A status as symbol and word, and what more is to be said of it at once. */
export function StatusChip({ status, more }: { readonly status: string; readonly more?: string | null }) {
  const { symbol, label, tone } = statusLook(status);
  return (
    <span className={`chip tone-${tone}`}>
      <span aria-hidden="true">{symbol}</span> {label}
      {more && `, ${more}`}
    </span>
  );
}

interface CountChipProps {
  readonly status: string;
  readonly count: number;
  readonly word: string;
}

/** How many of something stand so. */
export function CountChip({ status, count, word }: CountChipProps) {
  const { symbol, tone } = statusLook(status);
  return (
    <span className={`chip chip-count tone-${tone}`}>
      <span aria-hidden="true">{symbol}</span> {formatCount(count)} {word}
    </span>
  );
}
