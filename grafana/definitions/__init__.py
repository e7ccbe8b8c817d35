"""The dashboards, one module each."""

from grafana.definitions import cancellations, library, retries, runs, service, workflows

DASHBOARDS = (
    workflows.build,
    retries.build,
    cancellations.build,
    runs.build,
    service.build,
    library.build,
)
"""What builds each of them."""
