import { type SyntheticEvent, useState } from "react";
import { apiDelete, ApiError, apiPut, errorText } from "../api/client";
import type { Traffic } from "../api/types";
import { formatClock, formatCount, formatDuration, formatNumber } from "../format";
import { useTraffic } from "../store";
import { trafficCell } from "../store/status";
import { Button, ErrorNote, Field, Panel } from "../ui";

/** The switch that sends traffic to this very process, so that there is something to see. */
export function TrafficPanel() {
  const traffic = useTraffic();
  return (
    <Panel title="Traffic" aside={traffic !== null && <TrafficState traffic={traffic} />}>
      {traffic === null ? <p className="dim">Loading…</p> : <TrafficForm traffic={traffic} />}
    </Panel>
  );
}

function TrafficState({ traffic }: { readonly traffic: Traffic }) {
  return traffic.on ? (
    <span className="chip tone-success">
      <span aria-hidden="true">●</span> on
    </span>
  ) : (
    <span className="chip tone-neutral">
      <span aria-hidden="true">○</span> off
    </span>
  );
}

function TrafficForm({ traffic }: { readonly traffic: Traffic }) {
  const [scenario, setScenario] = useState(traffic.scenario ?? traffic.scenarios[0]?.name ?? "");
  const [rate, setRate] = useState(String(traffic.rate ?? Math.min(5, traffic.max_rate)));
  const [duration, setDuration] = useState("300");
  const [errors, setErrors] = useState<ReadonlyMap<string, string>>(new Map());
  const [failure, setFailure] = useState<string | null>(null);
  const summary = traffic.scenarios.find(({ name }) => name === scenario)?.summary;

  const send = async (request: Promise<Traffic>): Promise<void> => {
    setErrors(new Map());
    setFailure(null);
    try {
      trafficCell.set(await request);
    } catch (error) {
      const fields = error instanceof ApiError ? error.fields : [];
      setErrors(new Map(fields.map(({ field, message }) => [field, message])));
      setFailure(fields.length === 0 ? errorText(error) : null);
    }
  };
  const start = (event: SyntheticEvent): void => {
    event.preventDefault();
    void send(
      apiPut("/console/traffic", { scenario, rate: numberOr(rate), duration_seconds: numberOr(duration) }),
    );
  };

  return (
    <form className="traffic-form" onSubmit={start} noValidate aria-label="Traffic">
      <Field label="Scenario" hint={summary} error={errors.get("scenario")}>
        {(control) => (
          <select {...control} value={scenario} onChange={(event) => setScenario(event.target.value)}>
            {traffic.scenarios.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </Field>
      <div className="traffic-numbers">
        <Field label="Runs per second" hint={`at most ${traffic.max_rate}`} error={errors.get("rate")}>
          {(control) => (
            <input
              {...control}
              inputMode="decimal"
              autoComplete="off"
              value={rate}
              onChange={(event) => setRate(event.target.value)}
            />
          )}
        </Field>
        <Field label="Seconds" hint={`at most ${traffic.max_seconds}`} error={errors.get("duration_seconds")}>
          {(control) => (
            <input
              {...control}
              inputMode="decimal"
              autoComplete="off"
              value={duration}
              onChange={(event) => setDuration(event.target.value)}
            />
          )}
        </Field>
      </div>
      <ErrorNote message={failure} />
      <div className="form-actions">
        <Button type="submit" look={traffic.on ? "plain" : "primary"}>
          {traffic.on ? "Change" : "Switch on"}
        </Button>
        <Button isDisabled={!traffic.on} onPress={() => send(apiDelete("/console/traffic"))}>
          Switch off
        </Button>
      </div>
      <TrafficNumbers traffic={traffic} />
    </form>
  );
}

function TrafficNumbers({ traffic }: { readonly traffic: Traffic }) {
  if (!traffic.on && traffic.sent === 0 && traffic.not_sent === 0) return null;
  const { on, scenario, rate, ends_at: endsAt, p99_seconds: p99 } = traffic;
  const isUnknown = p99 === null && traffic.not_sent > 0; // those that were not sent would be among the slowest
  return (
    <>
      {on && (
        <p>
          {scenario}, {formatNumber(rate)} runs a second{endsAt !== null && ` until ${formatClock(endsAt)}`}
        </p>
      )}
      <dl className="traffic-counts">
        <Count label="sent" value={formatCount(traffic.sent)} />
        <Count label="succeeded" value={formatCount(traffic.succeeded)} />
        <Count label="failed" value={formatCount(traffic.failed)} />
        {traffic.not_sent > 0 && <Count label="not sent" value={formatCount(traffic.not_sent)} />}
        <Count label="p99" value={isUnknown ? "unknown" : formatDuration(p99)} />
      </dl>
    </>
  );
}

function Count({ label, value }: { readonly label: string; readonly value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The number, or the text as it is: the service says what is wrong with it. */
const numberOr = (text: string): number | string =>
  text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
