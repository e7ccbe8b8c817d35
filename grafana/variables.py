"""The variables at the top of a dashboard, and the data sources that two of them choose."""

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from grafana.promql import JOB, RECORDED, Scope

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")
TEMPO = DataSourceRef(type_val="tempo", uid="${tracesource}")

Variable = DatasourceVariable | QueryVariable


def datasources() -> list[Variable]:
    """Where metrics and traces come from; the defaults are the provisioned ones."""
    return [
        _datasource("datasource", "Metrics", "prometheus", "Prometheus"),
        _datasource("tracesource", "Traces", "tempo", "Tempo"),
    ]


def _datasource(name: str, label: str, uid: str, text: str) -> DatasourceVariable:
    # The uid of the provisioned source is the name of its type, too.
    return (
        DatasourceVariable(name)
        .label(label)
        .type(uid)
        .current(VariableOption(selected=True, text=text, value=uid))
    )


def job(sample: str) -> QueryVariable:
    """One job: averages over several services would mean nothing."""
    return _query("job", "Job", f"label_values({sample}, job)")


def workflow(sample: str, *matchers: str) -> QueryVariable:
    """Workflows of the job."""
    return _several("workflow", "Workflow", JOB, sample, *matchers)


def operation(sample: str) -> QueryVariable:
    """Operations of the workflows."""
    return _several("operation", "Operation", RECORDED, sample)


def instance(sample: str) -> QueryVariable:
    """Processes of the job."""
    return _several("instance", "Instance", JOB, sample)


def _several(name: str, label: str, scope: Scope, sample: str, *matchers: str) -> QueryVariable:
    # `.*` and not `.+`: in a link's address a plus sign is a space.
    query = f"label_values({scope.select(sample, *matchers)}, {name})"
    return _query(name, label, query).multi(True).include_all(True).all_value(".*").current(_all())


def _all() -> VariableOption:
    return VariableOption(selected=True, text=["All"], value=["$__all"])


def _query(name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": name})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
