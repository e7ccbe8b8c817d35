import { type ReactNode, useId } from "react";

export interface ControlProps {
  readonly id: string;
  readonly "aria-describedby": string | undefined;
  readonly "aria-invalid": boolean | undefined;
}

interface Props {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
  /** The label is there for screen readers only. */
  readonly hideLabel?: boolean;
  /** The input itself; it takes these properties. */
  readonly children: (control: ControlProps) => ReactNode;
}

/** A labelled input with a hint, and with what is wrong with it. */
export function Field({ label, hint, error, hideLabel = false, children }: Props) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? "visually-hidden" : undefined}>
        {label}
      </label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": error ? true : undefined })}
      {hint && (
        <div id={`${id}-hint`} className="field-hint">
          {hint}
        </div>
      )}
      {error && (
        <div id={`${id}-error`} className="field-error">
          <span aria-hidden="true">✕ </span>
          {error}
        </div>
      )}
    </div>
  );
}
