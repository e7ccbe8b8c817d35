"""The dashboards, as Python that builds Grafana's JSON; `make generate` writes it."""

import warnings

with warnings.catch_warnings():
    # They recommend the models of the new schema; the classic one is what provisioning reads everywhere.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard as builders
    from grafana_foundation_sdk.models import dashboard as models
    from grafana_foundation_sdk.models import dashboardv2beta1

__all__ = ["builders", "dashboardv2beta1", "models"]
