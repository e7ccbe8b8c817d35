import { useState } from "react";
import { useRuns, useTraffic } from "../store";
import { Panel } from "../ui";
import { HeldList } from "../runs/HeldList";
import { formatCount } from "../format";
import { Link } from "../router";
import { AlertBanner } from "./AlertBanner";
import { PresetPanel } from "./PresetPanel";
import { SmallCharts } from "./SmallCharts";
import { StartPanel } from "./StartPanel";
import { TrafficPanel } from "./TrafficPanel";
import "./home.css";

const IN_FLIGHT_SHOWN = 12;
const LATEST_SHOWN = 12;
/** Of a run on a wide page, in pixels. */
const ROW_HEIGHT = 34;

/** Where a newcomer begins: start a workflow, watch what runs. */
export function HomePage() {
  return (
    <>
      <h1>Start and watch</h1>
      <AlertBanner />
      <PresetPanel />
      <div className="home">
        <div className="home-main">
          <LiveRuns />
          <SmallCharts />
        </div>
        <div className="home-side">
          <StartPanel />
          <TrafficPanel />
        </div>
      </div>
    </>
  );
}

/** Rows that have been needed since something runs or the traffic is on: what is below stays where it is. */
function useReservedRows(count: number): number {
  const [most, setMost] = useState(0);
  const traffic = useTraffic();
  const needed = count === 0 && traffic?.on !== true ? 0 : Math.max(most, count);
  if (needed !== most) setMost(needed);
  return needed;
}

function LiveRuns() {
  const { inFlight, ended, generation } = useRuns();
  const more = inFlight.length - IN_FLIGHT_SHOWN;
  const reserved = useReservedRows(Math.min(inFlight.length, IN_FLIGHT_SHOWN));
  return (
    <>
      <Panel title="In flight" aside={<span className="dim">{formatCount(inFlight.length)}</span>}>
        <div style={{ minHeight: reserved * ROW_HEIGHT }}>
          <HeldList
            key={generation}
            label="Runs in flight"
            runs={inFlight}
            limit={IN_FLIGHT_SHOWN}
            cancel
            empty="Nothing runs. Start a workflow, or switch the traffic on."
          />
        </div>
        {more > 0 && (
          <p className="dim">
            and <Link href="/runs?status=running">{formatCount(more)} more</Link>
          </p>
        )}
      </Panel>
      <Panel title="Latest runs" aside={<Link href="/runs">All runs</Link>}>
        <HeldList
          key={generation}
          label="Latest runs"
          runs={ended}
          limit={LATEST_SHOWN}
          cancel={false}
          empty="No run has ended since the service was started."
        />
      </Panel>
    </>
  );
}
