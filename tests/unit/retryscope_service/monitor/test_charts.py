"""What the charts say about themselves, and how they are asked elsewhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from retryscope import semconv
from retryscope_service.monitor.chart import Chart
from retryscope_service.monitor.charts import charts
from retryscope_service.monitor.curves import WINDOW, WINDOWS
from retryscope_service.slo.definition import read_definition
from retryscope_service.slo.duration import Duration
from tests.conftest import ROOT
from tests.support.dashboards.navigation import CONDITION
from tests.support.known import is_known, table
from tests.support.promql import metric_uses

CHARTS = charts(read_definition())
OUTCOMES = {"success", "error", "timeout", "exhausted", "cancelled"}
RULES = ROOT / "deploy/prometheus/rules"


@pytest.fixture(scope="module", params=CHARTS, ids=lambda chart: chart.id)
def chart(request: pytest.FixtureRequest) -> Chart:
    found: Chart = request.param
    return found


def test_each_key_is_there_once() -> None:
    keys = [series.key for chart in CHARTS for series in chart.series]
    assert sorted(keys) == sorted(set(keys))
    assert len({chart.id for chart in CHARTS}) == len(CHARTS) == 9


def test_an_outcome_is_drawn_as_itself() -> None:
    """Which colour that is only the page knows: an exhausted retry was red in badges, brown in charts."""
    outcomes = [series for chart in CHARTS for series in chart.series if series.label in OUTCOMES]
    assert {series.label for series in outcomes} == OUTCOMES
    assert [series.label for series in outcomes] == [series.colour for series in outcomes]


def test_the_promql_names_series_and_labels_that_exist(chart: Chart) -> None:
    known = table(Path(RULES))
    uses = list(metric_uses(chart.promql))
    assert uses
    for use in uses:
        # `label_replace(…, "", "")` reads no label.
        assert is_known(replace(use, grouping=use.grouping - {""}), known), use


def test_the_promql_is_about_this_job_only(chart: Chart) -> None:
    assert chart.promql.count('{job="retryscope"') == len(list(metric_uses(chart.promql)))


def test_the_promql_has_the_window_of_the_coarse_resolution() -> None:
    assert Duration.parse(WINDOW).seconds == WINDOWS[10]
    assert {chart.id for chart in CHARTS if f"[{WINDOW}]" not in chart.promql} == {"in_flight"}


def test_the_traceql_names_attributes_that_exist(chart: Chart) -> None:
    if chart.traceql is None:
        assert chart.id == "event_loop_lag"  # no span is about that
        return
    assert chart.traceql.startswith('{ resource.service.name = "retryscope" && ')
    for condition in chart.traceql.removeprefix("{ ").removesuffix(" }").split(" && "):
        parts = CONDITION.fullmatch(condition)
        assert parts, condition
        field = parts["field"]
        attribute = field.removeprefix("span.")
        assert attribute in semconv.ATTRIBUTES or field in ("resource.service.name", "name", "duration")


def test_the_thresholds_are_those_of_the_alerts() -> None:
    assert {
        chart.id: (chart.threshold.value, chart.threshold.label) for chart in CHARTS if chart.threshold
    } == {
        "failure_ratio": (pytest.approx(0.144), "FailureBudgetBurn over 5m and 1h"),
        "amplification": (2, "RetryStorm"),
        "event_loop_lag": (0.25, "EventLoopLagHigh"),
    }


def test_the_description_says_what_a_point_covers(chart: Chart) -> None:
    covers = "Each point covers the last 10 s; at the resolution of 10 s, the last minute."
    assert chart.description.endswith(covers) or chart.id == "in_flight"
