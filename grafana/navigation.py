"""Which dashboards there are, and how one leads to another without losing variables and time."""

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

from grafana import thresholds

TAG = "retryscope"

_KEPT = "${datasource:queryparam}&${tracesource:queryparam}&${job:queryparam}"


def runbook() -> DashboardLink:
    """From a row with a column `Heading` to that part of the runbook."""
    return DashboardLink("Runbook").url(f"{thresholds.RUNBOOK}#${{__data.fields.Heading}}").target_blank(True)


def siblings() -> DashboardLink:
    """Every dashboard of the family, at the top of each."""
    return (
        DashboardLink("Retryscope")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("external link")
        .tooltip("The other dashboards, with the same variables and time range")
        .include_vars(True)
        .keep_time(True)
    )


def of_series(title: str, uid: str, *labels: str) -> DashboardLink:
    """From a series to a dashboard, narrowed to the values of the series' labels."""
    return _link(title, uid, {label: f"${{__field.labels.{label}}}" for label in labels})


def of_row(title: str, uid: str, *labels: str) -> DashboardLink:
    """From a table's row to a dashboard; ``labels`` are the columns' headings in lower case."""
    return _link(title, uid, {label: f'${{__data.fields["{label.title()}"]}}' for label in labels})


def of_variables(title: str, uid: str, *variables: str) -> DashboardLink:
    """To a dashboard with the variables that both have."""
    kept = "&".join((_KEPT, *(f"${{{name}:queryparam}}" for name in variables)))
    return DashboardLink(title).url(f"/d/{uid}?{kept}&${{__url_time_range}}")


def _link(title: str, uid: str, values: dict[str, str]) -> DashboardLink:
    chosen = "&".join(f"var-{name}={value}" for name, value in values.items())
    return DashboardLink(title).url(f"/d/{uid}?{_KEPT}&{chosen}&${{__url_time_range}}")
