import { type ReactNode, useId } from "react";

interface Props {
  readonly title: string;
  readonly level?: 2 | 3;
  /** Beside the heading, for example buttons. */
  readonly aside?: ReactNode;
  readonly className?: string;
  readonly children: ReactNode;
}

/** A part of a page with a heading, which also names it as a landmark. */
export function Panel({ title, level = 2, aside, className = "", children }: Props) {
  const id = useId();
  const Heading = level === 2 ? "h2" : "h3";
  return (
    <section className={`panel ${className}`} aria-labelledby={id}>
      <div className="panel-head">
        <Heading id={id}>{title}</Heading>
        {aside}
      </div>
      {children}
    </section>
  );
}
