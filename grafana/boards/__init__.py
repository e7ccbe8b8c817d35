"""The dashboards, one module each."""

from grafana.boards import cancellations, dependencies, library, overview, retries, runs, service, workflows

DASHBOARDS = (
    overview.build,
    workflows.build,
    retries.build,
    cancellations.build,
    runs.build,
    service.build,
    dependencies.build,
    library.build,
)
"""What builds each of them."""
