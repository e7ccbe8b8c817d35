"""Every expression of every dashboard, on a real Prometheus that scraped a service during runs of every kind.

Grafana itself can't be run here: its variables are filled in as it fills them in, and what comes back must be
what a panel can draw.
"""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from retryscope.operation import declared
from retryscope_service import semconv as service_semconv
from retryscope_service import workflows as _declares_operations  # noqa: F401
from tests.conftest import ROOT
from tests.integration.conftest import running_service
from tests.support.dashboards.loaded import Loaded, fast_rules, load_service
from tests.support.dashboards.model import (
    Json,
    Target,
    load,
    panels,
    prometheus_targets,
    substituted,
    variables,
)
from tests.support.dashboards.navigation import trace_queries
from tests.support.dashboards.queries import LEGEND
from tests.support.dashboards.traceql import matching
from tests.support.dashboards.traffic import FAULTY_PAYMENTS
from tests.support.dashboards.truth import ATTEMPTS, ENDED, OPERATION, RUNS_ENDED, counted, truths
from tests.support.dashboards.usage import used_families
from tests.support.known import DIAGNOSTIC, EXEMPLARS, PROCESS, table
from tests.support.process import Service
from tests.support.prometheus import prometheus
from tests.support.spans import from_json

DASHBOARDS = ROOT / "grafana" / "dashboards"
RULES = ROOT / "deploy" / "prometheus" / "rules"
UIDS = sorted(path.stem for path in DASHBOARDS.glob("*.json"))
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture(scope="module")
def loaded(system_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("dashboards")
    with (
        running_service(folder / "service", **FAULTY_PAYMENTS) as service,
        prometheus(
            system_tool("prometheus"),
            folder / "prometheus",
            service.port,
            fast_rules(RULES),
            scrape_interval=2,  # beside four busy loops most scrapes take more than half a second
        ) as server,
    ):
        yield load_service(service, server)


@pytest.fixture(params=UIDS)
def dashboard(request: pytest.FixtureRequest) -> Json:
    (found,) = (each for each in load(DASHBOARDS) if each["uid"] == request.param)
    return found


def families(service: Service) -> list[Metric]:
    """What it exposes, exemplars included."""
    text = service.get("/metrics", OPENMETRICS).body
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def legend_of(legend: str, labels: dict[str, str]) -> str:
    return LEGEND.sub(lambda match: labels.get(match[1], ""), legend)


def numbers(series: list[Json]) -> list[float]:
    pairs = [pair for each in series for pair in each.get("values", [each.get("value")])]
    return [float(value) for _, value in pairs]


def without_nothing(expression: str) -> str:
    """A number's expression without the NaN that stands where it has no value."""
    return expression.removesuffix("\nor vector(NaN)")


def asked(loaded: Loaded, dashboard: Json) -> Iterator[tuple[Target, str]]:
    """Each query, and what Grafana sends for it."""
    values = loaded.values(dashboard)
    for target in prometheus_targets(dashboard):
        yield target, substituted(target.expression, values)


def test_every_expression_has_values_that_can_be_drawn(loaded: Loaded, dashboard: Json) -> None:
    """Some value now, and never one that is no number."""
    faults = []
    for target, expression in asked(loaded, dashboard):
        expression = without_nothing(expression)
        now, ever = numbers(loaded.instant(expression)), numbers(loaded.over_time(expression))
        if not now and target.panel["title"] != "Firing alerts":
            faults.append(f"{target.where} is empty: {expression}")
        if bad := [value for value in (*now, *ever) if not math.isfinite(value)]:
            faults.append(f"{target.where} has {bad[:3]}: {expression}")
    assert faults == []


def test_a_panel_of_a_healthy_service_is_empty_only_where_it_says_why(
    loaded: Loaded, dashboard: Json
) -> None:
    """Before anything failed, was retried, cancelled or run in the background."""
    empty = {
        target.panel["title"]: target.panel["fieldConfig"]["defaults"]["noValue"]
        for target, expression in asked(loaded, dashboard)
        if not loaded.instant(without_nothing(expression), loaded.healthy_at)
    }
    reasons = ("Nothing was", "No background run", "No alert fires")
    assert {title: why for title, why in empty.items() if not why.startswith(reasons)} == {}


def stats(loaded: Loaded, uid: str) -> dict[str, list[float]]:
    """What the single numbers of a dashboard show, by title."""
    (dashboard,) = (each for each in load(DASHBOARDS) if each["uid"] == uid)
    return {
        target.panel["title"]: numbers(loaded.instant(expression))
        for target, expression in asked(loaded, dashboard)
        if target.panel["type"] == "stat"
    }


def test_the_numbers_are_true(loaded: Loaded) -> None:
    """All traffic lies between two scrapes of one window, so ratios of rates are ratios of counts."""
    (library,) = (each for each in load(DASHBOARDS) if each["uid"] == "retryscope-library")
    shown = {
        target.panel["title"]: value
        for target, expression in asked(loaded, library)
        for series in loaded.instant(expression)
        if OPERATION.items() <= series["metric"].items()
        for value in numbers([series])
    }
    expected = truths(loaded.service)
    assert {title: shown[title] for title in expected} == pytest.approx(expected)
    assert min(expected.values()) > 0
    assert counted(loaded.service, ENDED, "cancelled", **OPERATION) > 0


def test_the_failure_ratio_of_workflows_leaves_out_what_was_cancelled(loaded: Loaded) -> None:
    shown = stats(loaded, "retryscope-workflows")
    failed, all_, cancelled = (
        counted(loaded.service, RUNS_ENDED, *outcomes)
        for outcomes in (("error", "timeout", "exhausted"), (), ("cancelled",))
    )
    assert min(failed, cancelled) > 0
    assert shown["Failure ratio now"] == pytest.approx([failed / (all_ - cancelled)])


def test_timeouts_and_cancellations_are_shares_of_what_they_should_be(loaded: Loaded) -> None:
    """A cancelled operation is in no divisor but that of its own share."""
    shown = stats(loaded, "retryscope-cancellations")
    service = loaded.service
    runs, runs_cancelled = counted(service, RUNS_ENDED), counted(service, RUNS_ENDED, "cancelled")

    def worst(name: str) -> float:
        """Of the operation that times out most, the share that does."""
        return max(
            counted(service, name, "timeout", workflow=each.workflow, operation=each.name) / all_
            for each in declared()
            if each.workflow
            for all_ in [
                counted(service, name, workflow=each.workflow, operation=each.name)
                - counted(service, name, "cancelled", workflow=each.workflow, operation=each.name)
            ]
            if all_
        )

    assert min(worst(ENDED), worst(ATTEMPTS), runs_cancelled) > 0
    assert counted(service, ENDED, "cancelled") > 0
    assert shown["Worst timeouts"] == pytest.approx([worst(ENDED)])
    assert shown["Attempt timeouts"] == pytest.approx([worst(ATTEMPTS)])
    assert shown["Runs cancelled"] == pytest.approx([runs_cancelled / runs])


def test_a_background_run_that_was_cancelled_has_not_failed(loaded: Loaded) -> None:
    """One succeeded, one failed, one was cancelled."""
    shown = stats(loaded, "retryscope-runs")
    assert shown["Failing now"] == pytest.approx([1 / 2])


def test_orders_that_were_undone_are_a_share_of_those_that_ended(loaded: Loaded) -> None:
    """Payments fail half of the time, and nothing repeats them."""
    shown = stats(loaded, "retryscope-dependencies")
    ended = {
        sample.labels["state"]: sample.value
        for family in families(loaded.service)
        if family.name == service_semconv.ORDERS.name
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert min(ended.values()) > 0
    assert shown["Orders undone"] == pytest.approx([ended["compensated"] / sum(ended.values())])


def test_every_label_of_a_legend_is_there_and_tells_the_series_apart(loaded: Loaded, dashboard: Json) -> None:
    faults = []
    for target, expression in asked(loaded, dashboard):
        legend = str(target.query["legendFormat"])
        if target.query.get("format") in ("table", "heatmap"):
            continue
        series = [each["metric"] for each in loaded.over_time(expression)]
        names = [legend_of(legend, labels) for labels in series]
        if len(set(names)) != len(names):
            faults.append(f"{target.where}: {names}")
        faults += [
            f"{target.where}: no series has the label {label}"
            for label in LEGEND.findall(legend)
            if not any(label in labels for labels in series)
        ]
    assert faults == []


def test_every_series_with_a_meaning_has_its_colour(loaded: Loaded, dashboard: Json) -> None:
    """Where a panel colours its series by name, none is left out."""
    faults = []
    for target, expression in asked(loaded, dashboard):
        overrides = target.panel["fieldConfig"].get("overrides") or []
        coloured = {
            override["matcher"]["options"]
            for override in overrides
            if any(prop["id"] == "color" for prop in override["properties"])
        }
        if coloured:
            (label,) = LEGEND.findall(target.query["legendFormat"])
            shown = {each["metric"][label] for each in loaded.over_time(expression)}
            if shown - coloured:
                faults.append(f"{target.where}: {sorted(shown - coloured)}")
    assert faults == []


def test_an_exemplar_on_a_panel_leads_to_a_trace(loaded: Loaded, dashboard: Json) -> None:
    asking = [(t, expression) for t, expression in asked(loaded, dashboard) if t.query.get("exemplar")]
    for target, expression in asking:
        stored = loaded.prometheus.exemplars(expression, loaded.started, loaded.ended)
        found = {exemplar["labels"]["trace_id"] for _, exemplar in stored}
        assert found, target.where
        assert [trace for trace in found if not re.fullmatch("[0-9a-f]{32}", trace)] == [], target.where
        assert loaded.service.get(f"/traces/{min(found)}").status == 200, target.where


RARE = {
    "Delivered again": "no worker died",
    "Deliveries after the first": "no worker died",
    "Lost": "no worker died",
    "Results that came too late": "no worker died",
    "Queue wait": "its link is to runs that waited for more than a second",
    "Queue wait p95": "its link is to runs that waited for more than a second",
    "Event-loop lag": "its link is to traces of more than a second",
    "Unclean now": "each cleanup completes, or the load of the machine decides which does not",
    "Budget refused": "the service's workflows have no retry budget",
    "Retries that the budget refused": "the service's workflows have no retry budget",
}
"""Panels whose traces the traffic does not make, and why."""


def test_the_traces_behind_a_panel_are_found_by_its_queries(loaded: Loaded, dashboard: Json) -> None:
    """Of lists of traces, and of links from at least one series: all attributes are on one span."""
    spans = list(from_json(loaded.service.get("/traces?limit=100").body))
    values = loaded.values(dashboard)
    faults = []
    for panel in panels(dashboard):
        one = {**dashboard, "links": [], "panels": [panel]}
        series = [
            each["metric"]
            for target in prometheus_targets(one)
            for each in loaded.over_time(substituted(target.expression, values))
        ]
        for _, query in trace_queries(one):
            filled = {filled_in(query, values, labels) for labels in series or [{}]}
            if not any(matching(each, spans) for each in filled) and panel["title"] not in RARE:
                faults.append(f"{panel['title']}: {query}")
    assert faults == []


def filled_in(query: str, values: dict[str, str], labels: dict[str, str]) -> str:
    """A query of a link as Grafana opens it, of a series with these labels."""
    filled = r"\$\{(?:__field\.labels|__data\.fields)\.(\w+)\}"
    with_labels = re.sub(filled, lambda match: labels.get(match[1].lower(), ""), query)
    return substituted(with_labels, values)


def test_every_annotation_can_be_asked(loaded: Loaded, dashboard: Json) -> None:
    """No alert fires, and the process has started less than a minute ago."""
    values = loaded.values(dashboard)
    found = {
        annotation["name"]: loaded.over_time(substituted(annotation["expr"], values))
        for annotation in dashboard["annotations"]["list"]
    }
    assert found["Firing alerts"] == []
    assert len(found["Starts and deploys"]) == 1


def test_one_workflow_and_one_operation_can_be_chosen(loaded: Loaded, dashboard: Json) -> None:
    """What a link from an alert chooses; every expression is still understood, and most have values."""
    declared = variables(dashboard)
    chosen = {**loaded.values(dashboard), "workflow": "retry", "operation": "flaky_api_call"}
    values = {name: value for name, value in chosen.items() if name in declared}
    results = [
        loaded.instant(substituted(target.expression, values)) for target in prometheus_targets(dashboard)
    ]
    assert sum(map(bool, results)) > 0.8 * len(results)
    workflows = {each["metric"].get("workflow", "retry") for series in results for each in series}
    assert workflows == {"retry"} or "workflow" not in declared


def test_the_table_of_names_is_what_prometheus_stores(loaded: Loaded) -> None:
    """With the labels that the static checks take for granted, no more and no fewer."""
    faults = []
    for name, series in table(RULES).items():
        if name.startswith("ALERTS"):  # none fires
            continue
        found: list[Any] = loaded.prometheus.api("series", **{"match[]": f'{{__name__="{name}"}}'})
        labels = set().union(*found) - {"__name__"}
        if labels != series.labels:
            faults.append(f"{name}: {sorted(labels)}, not {sorted(series.labels)}")
    assert faults == []


def test_every_exposed_family_is_used_or_diagnostic(loaded: Loaded) -> None:
    exposed = {family.name for family in families(loaded.service)}
    used = {name.removesuffix("_total") for name in used_families(load(DASHBOARDS), RULES)}
    assert exposed - used == set(DIAGNOSTIC)
    assert {name.removesuffix("_total") for name in PROCESS} <= exposed


def test_exemplars_are_exposed_by_the_families_that_panels_expect_them_of(loaded: Loaded) -> None:
    found = {
        family.name for family in families(loaded.service) for sample in family.samples if sample.exemplar
    }
    assert found == EXEMPLARS
