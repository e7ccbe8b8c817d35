import { useState } from "react";
import { errorText } from "../api/client";
import { startRun } from "../api/runs";
import { navigate, runPath } from "../router";
import { watchRun } from "../store";
import { Button, ErrorNote, Panel } from "../ui";
import { type Preset, PRESETS } from "./presets";

/** One click from an open page to a run worth looking at. */
export function PresetPanel() {
  const [starting, setStarting] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);

  const start = async ({ workflow, params }: Preset): Promise<void> => {
    setStarting(true);
    setFailure(null);
    try {
      const run = await startRun(workflow, params);
      watchRun(run.id);
      navigate(runPath(run.id));
    } catch (error) {
      setFailure(errorText(error));
    }
    setStarting(false);
  };

  return (
    <Panel title="See one" className="presets">
      <div className="preset-buttons">
        {PRESETS.map((preset) => (
          <Button key={preset.title} isDisabled={starting} onPress={() => void start(preset)}>
            {preset.title}
          </Button>
        ))}
      </div>
      <ErrorNote message={failure} />
    </Panel>
  );
}
