"""The variant of a dashboard for Dashboards / New / Import of somebody else's Grafana.

A provisioned dashboard begins with the data sources that are provisioned beside it. An imported one cannot
know them: the import form asks for each of `__inputs`, and puts the answer where `${DS_NAME}` stands.
"""

import json

_NAMES = {"prometheus": "Prometheus", "tempo": "Tempo"}


def variant(provisioned: str) -> str:
    """The JSON of the same dashboard, with inputs in the place of the provisioned data sources."""
    dashboard = json.loads(provisioned)
    inputs = []
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "datasource":
            continue
        kind = variable["query"]
        name = f"DS_{kind.upper()}"
        inputs.append(
            {
                "name": name,
                "label": variable["label"],
                "description": f"Where {variable['label'].lower()} come from.",
                "type": "datasource",
                "pluginId": kind,
                "pluginName": _NAMES[kind],
            }
        )
        variable["current"] = {"selected": True, "text": f"${{{name}}}", "value": f"${{{name}}}"}
    content = {**dashboard, "__inputs": inputs, "editable": True}
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
