import { explorePromql, prometheusGraph } from "../charts/explore";
import type { AlertState } from "../api/types";
import { formatDuration, formatTime, formatValue } from "../format";
import { useLinks } from "../store";
import { CopyButton, StatusChip } from "../ui";
import { AlertLinks } from "./AlertLinks";
import { alertName, labelTexts, standing } from "./text";

/** One rule: how it stands, and what it means. */
export function AlertRule({ rule }: { readonly rule: AlertState }) {
  const { alert, state, since, value, threshold, lacks, covered } = rule;
  const name = alertName(rule);
  return (
    <li className="alert-rule" data-state={state}>
      <div className="alert-rule-head">
        <StatusChip status={standing(rule)} />
        <h3>{alert}</h3>
        <span className="dim">{[rule.severity, ...labelTexts(rule.labels)].join(" · ")}</span>
        <AlertLinks alert={alert} labels={rule.labels} runbook={rule.runbook_url} />
        {since !== null && state !== "inactive" && <span>since {formatTime(since)}</span>}
      </div>
      {lacks === null ? <p>{rule.summary}</p> : <p>Above its threshold without firing: {lacks}.</p>}
      <dl className="alert-facts">
        <Fact term="value" text={value === null ? "no value" : formatValue(value, rule.unit)} />
        <Fact term="threshold" text={formatValue(threshold, rule.unit)} />
        <Fact term="for" text={rule.for_seconds === 0 ? "at once" : formatDuration(rule.for_seconds)} />
        {rule.window !== null && <Fact term="window" text={rule.window} />}
        {!covered && (
          <div className="tone-backoff uncovered">
            <dt className="visually-hidden">coverage</dt>
            <dd>
              <span aria-hidden="true">◔ </span>not covered yet
            </dd>
          </div>
        )}
      </dl>
      <details>
        <summary>
          Description and query<span className="visually-hidden"> of {name}</span>
        </summary>
        <p>{rule.description}</p>
        <pre>{rule.promql}</pre>
        <RuleLinks name={name} promql={rule.promql} />
      </details>
    </li>
  );
}

function Fact({ term, text }: { readonly term: string; readonly text: string }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{text}</dd>
    </div>
  );
}

function RuleLinks({ name, promql }: { readonly name: string; readonly promql: string }) {
  const { grafana, prometheus } = useLinks();
  return (
    <div className="rule-links">
      <CopyButton label="Copy PromQL" description={`Copy the PromQL of ${name}`} text={() => promql} />
      {grafana !== null && <a href={explorePromql(grafana, promql, "now-3h")}>Grafana</a>}
      {prometheus !== null && <a href={prometheusGraph(prometheus, promql, "3h")}>Prometheus</a>}
    </div>
  );
}
