import { statusLook } from "../theme/status";

/** A status as symbol and word. */
export function StatusChip({ status }: { readonly status: string }) {
  const { symbol, label, tone } = statusLook(status);
  return (
    <span className={`chip tone-${tone}`}>
      <span aria-hidden="true">{symbol}</span> {label}
    </span>
  );
}
