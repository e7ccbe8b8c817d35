import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { WorkflowForm } from "../form/WorkflowForm";
import { humanize } from "../format";
import { navigate, useLocation } from "../router";
import { ErrorNote, Panel } from "../ui";
import { sharedParameters, useWorkflows } from "./workflows";

/**
 * One form per workflow.
 *
 * The address says which, and may give parameters: `/?workflow=retry&params={"tasks":3}`.
 */
export function StartPanel() {
  const { workflows, error } = useWorkflows();
  const query = new URLSearchParams(useLocation().search);
  const wanted = query.get("workflow");
  const given = query.get("params");
  const selected = workflows?.find(({ name }) => name === wanted) ?? workflows?.[0];
  return (
    <Panel title="Start a run">
      <ErrorNote message={workflows === null ? error : null} />
      {workflows === null && error === null && <p className="dim">Loading…</p>}
      {workflows !== null && selected !== undefined && (
        <Tabs
          className="start-tabs"
          selectedKey={selected.name}
          onSelectionChange={(key) =>
            navigate(`/?workflow=${encodeURIComponent(String(key))}`, { replace: true })
          }
        >
          <TabList aria-label="Workflow" className="tab-list">
            {workflows.map(({ name }) => (
              <Tab key={name} id={name} className="tab">
                {humanize(name)}
              </Tab>
            ))}
          </TabList>
          {workflows.map((workflow) => (
            <TabPanel key={workflow.name} id={workflow.name} className="tab-panel" shouldForceMount>
              <WorkflowForm
                key={given}
                workflow={workflow}
                params={workflow.name === wanted ? parseParams(given) : undefined}
                shared={sharedParameters(workflows)}
              />
            </TabPanel>
          ))}
        </Tabs>
      )}
    </Panel>
  );
}

function parseParams(text: string | null): Readonly<Record<string, unknown>> | undefined {
  if (text === null) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
