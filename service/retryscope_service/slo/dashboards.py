"""Where the dashboards are, and the links of alerts to them."""

from typing import Final

OVERVIEW: Final = "retryscope-overview"
WORKFLOWS: Final = "retryscope-workflows"
RETRIES: Final = "retryscope-retries"
CANCELLATIONS: Final = "retryscope-cancellations"
RUNS: Final = "retryscope-runs"
SERVICE: Final = "retryscope-service"
DEPENDENCIES: Final = "retryscope-dependencies"
LIBRARY: Final = "retryscope-library"


def link(uid: str, *labels: str) -> str:
    """Path and query of a dashboard, narrowed to what an alert is about, as a template of Prometheus."""
    variables = [f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels]
    return f"/d/{uid}?{'&'.join(variables)}"


def process_link() -> str:
    """To the one about processes: about all of the job where the alert is not about one."""
    instance = "{{ with $labels.instance }}&var-instance={{ . | urlquery }}{{ end }}"
    return link(SERVICE, "job") + instance
