"""All rules at once."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from tests.support.dashboards import alerts, navigation, queries, readable, schema, structure
from tests.support.dashboards.model import Finding, Json, Rule
from tests.support.known import Series


def check(
    dashboard: Json,
    *,
    known: Mapping[str, Series],
    provisioned: dict[str, str],
    uids: Collection[str],
    rules: Path,
) -> Iterator[Finding]:
    """Everything that is wrong with a dashboard.

    Args:
        dashboard: Its JSON.
        known: Names that expressions may use.
        provisioned: Type of each data source by uid.
        uids: Of all dashboards.
        rules: Folder of the rules files.
    """
    checks: tuple[Rule, ...] = (
        schema.round_trip,
        schema.types_match,
        structure.identity,
        structure.panel_ids,
        structure.ref_ids,
        structure.layout,
        structure.words,
        structure.units,
        structure.columns,
        partial(structure.datasources, provisioned=provisioned),
        structure.variables_resolve,
        queries.syntax,
        partial(queries.names, known=known),
        queries.values,
        queries.jobs,
        partial(queries.rates, known=known),
        queries.divisions,
        queries.quantiles,
        partial(queries.legends, known=known),
        partial(alerts.named, rules=rules),
        partial(queries.exemplars, known=known),
        navigation.siblings,
        partial(navigation.addresses, uids=uids),
        partial(navigation.filled_in, known=known),
        navigation.traceql,
        navigation.into_traces,
        readable.names_beside_lines,
        readable.few_lines,
        readable.no_value,
        readable.now,
        readable.axes,
        readable.tables,
        readable.empty_labels,
        readable.finished,
        readable.stripes,
    )
    for each in checks:
        yield from each(dashboard)
