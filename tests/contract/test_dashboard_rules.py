"""Each rule about dashboards finds the fault that it is there for, planted into a good dashboard."""

import json

import pytest

from tests.contract.test_dashboards import FOLDER, findings
from tests.support.dashboards.model import Json
from tests.support.dashboards.plants import (
    Plant,
    asks,
    both,
    defaults,
    exemplars_of,
    leads,
    legend,
    legends,
    moved,
    panel,
    queries_with,
    replaces,
    says,
    searches,
    selects,
    unmapped,
    variable,
    without,
)

NUMBER, TREND, HEATMAP, TABLE, BURN = (
    "Rate now",
    "Duration",
    "Distribution of durations",
    "Workflows",
    "Burn rate",
)
COUNT = 'resilience_workflow_duration_seconds_count{job="$job"}'


@pytest.fixture
def good() -> Json:
    found: Json = json.loads((FOLDER / "retryscope-workflows.json").read_text())
    return found


FAULTS: dict[str, tuple[str, str, Plant]] = {
    # what it is
    "an unknown key": ("schema", "no model knows this key", says("gridPosition", {"x": 1})),
    "no panel type's options": ("schema", "", lambda d: panel(d, NUMBER)["options"].update(graphMod="area")),
    "a value of no enumeration": (
        "types",
        "graph_mode",
        lambda d: panel(d, NUMBER)["options"].update(graphMode="aera"),
    ),
    "a text for a number": ("types", "decimals", lambda d: defaults(d, NUMBER).update(decimals="2")),
    "another uid": ("identity", "retryscope-NAME", lambda d: d.update(uid="workflows")),
    "no uid": ("identity", "None", lambda d: d.pop("uid")),
    "editable": ("identity", "editable", lambda d: d.update(editable=True)),
    "no refresh": ("identity", "refresh", lambda d: d.update(refresh="")),
    "another time range": ("identity", "time", lambda d: d["time"].update({"from": "now-6h"})),
    "one id twice": ("panel ids", "2 times", lambda d: panel(d, NUMBER).update(id=panel(d, TREND)["id"])),
    "no id": ("panel ids", "None", lambda d: panel(d, NUMBER).pop("id")),
    "one refId twice": ("refIds", "'A' 2 times", lambda d: panel(d, TREND)["targets"][1].update(refId="A")),
    "no refId": ("refIds", "None", lambda d: panel(d, NUMBER)["targets"][0].pop("refId")),
    "no query": ("refIds", "no query", says("targets", [])),
    # layout
    "overlapping panels": ("layout", "overlaps", moved(TREND, y=15)),
    "a panel under a row": ("layout", "overlaps Now", moved(NUMBER, y=0)),
    "wider than the grid": ("layout", "outside", moved(TREND, w=25)),
    "right of the grid": ("layout", "outside", moved(TREND, x=13)),
    "too small to read": ("layout", "too small", moved(NUMBER, h=2)),
    "a panel alone in half a line": ("layout", "is empty", moved(TREND, w=6)),
    "a ragged line": ("layout", "different heights", moved(TREND, h=7)),
    # words
    "no title": ("words", "no title", says("title", "")),
    "no description": ("words", "What it means", says("description", "")),
    "no advice": (
        "words",
        "What to do",
        says("description", "What it means: workflows that ended, a second."),
    ),
    "silent without data": ("words", "no data", lambda d: defaults(d, NUMBER).pop("noValue")),
    # units
    "no unit": ("units", "None", lambda d: defaults(d, NUMBER).pop("unit")),
    "an unknown unit": ("units", "seconds", lambda d: defaults(d, NUMBER).update(unit="seconds")),
    "a column's unit": ("units", "p95: 'sec'", replaces('"value": "s"', '"value": "sec"', TABLE)),
    "a column without a name": ("columns", "Value #C", replaces('"Value #C": "p95", ', "", TABLE)),
    "a column of no query": ("columns", "Value #Z", replaces("Value #A", "Value #Z", TABLE)),
    # data sources
    "a fixed data source": (
        "datasources",
        "not chosen",
        says("datasource", {"type": "prometheus", "uid": "prometheus"}),
    ),
    "a query's fixed data source": (
        "datasources",
        "not chosen",
        lambda d: panel(d, NUMBER)["targets"][0].update(datasource={"type": "prometheus", "uid": "x"}),
    ),
    "an exported data source": (
        "datasources",
        "not chosen",
        says("datasource", {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}),
    ),
    "another type of data source": (
        "datasources",
        "another type",
        says("datasource", {"type": "loki", "uid": "${datasource}"}),
    ),
    "an unprovisioned uid": (
        "datasources",
        "'mimir' is not provisioned",
        variable("datasource", current={"text": "Mimir", "value": "mimir"}),
    ),
    "no default data source": (
        "datasources",
        "None is not provisioned",
        variable("tracesource", current=None),
    ),
    # variables
    "an unknown variable": ("variables", "$env", asks('up{job="$job", env="$env"}')),
    "an unknown variable in brackets": ("variables", "$env", asks('up{job="$job", env="${env:regex}"}')),
    "a variable that nothing uses": ("variables", "nothing uses", variable("workflow", name="idle")),
    "a variable before what it needs": (
        "variables",
        "before it",
        lambda d: d["templating"]["list"].reverse(),
    ),
    "a variable that gets old": ("variables", "not refreshed", variable("job", refresh=1)),
    # expressions
    "an unparsable expression": ("syntax", "", asks("sum(rate(")),
    "an unparsable variable": ("syntax", "", selects("job", "label_values(up{, job)")),
    "an unparsable annotation": ("syntax", "", lambda d: d["annotations"]["list"][0].update(expr="ALERTS{")),
    "a wrong metric": (
        "names",
        "resilience_workflows_total does not exist",
        asks('sum(rate(resilience_workflows_total{job="$job"}[$__rate_interval]))'),
    ),
    "a counter without _total": (
        "names",
        "resilience_attempts does not exist",
        asks('sum(rate(resilience_attempts{job="$job"}[$__rate_interval]))'),
    ),
    "a wrong label": (
        "names",
        "no label status",
        asks(f'sum(rate({COUNT[:-1]}, status="error"}}[$__rate_interval]))'),
    ),
    "a wrong label to group by": (
        "names",
        "no label operation",
        asks(f"sum by (operation) (rate({COUNT}[$__rate_interval]))"),
    ),
    "a wrong label to match": (
        "names",
        "no label pool",
        asks(f'up{{job="$job"}} * on (pool) rate({COUNT}[$__rate_interval])'),
    ),
    "a wrong label of a recorded series": (
        "names",
        "no label outcome",
        replaces("workflow=~", "outcome=~", BURN),
    ),
    "a wrong metric in a variable": (
        "names",
        "does not exist",
        selects("workflow", 'label_values(runs{job="$job"}, workflow)'),
    ),
    "a wrong label in a variable": (
        "names",
        "no label operation",
        selects("workflow", f"label_values({COUNT}, operation)"),
    ),
    "a wrong label in an annotation": (
        "names",
        "no label env",
        lambda d: d["annotations"]["list"][0].update(expr='ALERTS{job="$job", env="x"}'),
    ),
    "a value that no outcome has": (
        "values",
        "outcome is never 'failure'",
        replaces("error|timeout|exhausted", "failure|timeout", "Failure ratio"),
    ),
    "every job": ("jobs", "every job", asks("sum(resilience_workflows_in_flight)")),
    "a lifetime counter": ("rates", "only ever grows", asks(f"sum({COUNT})")),
    "a rate of a gauge": (
        "rates",
        "no counter",
        asks('sum(rate(resilience_workflows_in_flight{job="$job"}[$__rate_interval]))'),
    ),
    "a fixed window": ("rates", "[5m]", asks(f"sum(rate({COUNT}[5m]))")),
    "a fixed window of a subquery": (
        "rates",
        "[30m:]",
        asks(f"max_over_time(sum(rate({COUNT}[$__rate_interval]))[30m:])"),
    ),
    "overlapping windows": (
        "rates",
        "increase over [$__rate_interval]",
        asks(f"sum(increase({COUNT}[$__rate_interval]))"),
    ),
    "the whole range again and again": (
        "rates",
        "increase over [$__range], asked again and again",
        asks(f"sum(increase({COUNT}[$__range]))"),
    ),
    "the whole range again and again, besides once": (
        "rates",
        "increase over [$__range], asked again and again",
        both(asks(f"sum(increase({COUNT}[$__range]))"), queries_with(instant=True, range=True)),
    ),
    "an alert's window again and again": (
        "rates",
        "increase over [10m], asked again and again",
        asks(f"sum(increase({COUNT}[10m]))"),
    ),
    "a rate over the whole range": (
        "rates",
        "rate over [$__range], asked once",
        both(asks(f"sum(rate({COUNT}[$__range]))"), queries_with(instant=True, range=False)),
    ),
    "a division by zero": (
        "divisions",
        "may be 0",
        asks(f"sum(rate({COUNT}[$__rate_interval])) / sum(rate({COUNT}[$__rate_interval]))"),
    ),
    "a quantile of nothing": ("quantiles", "NaN", replaces(" >= 0", "", TREND)),
    "a quantile without le": ("quantiles", "le", replaces("by (le)", "by (outcome)", TREND)),
    "a legend's label that is not there": (
        "legends",
        "no label operation",
        replaces("{{outcome}}", "{{operation}}", "Workflows by outcome"),
    ),
    "no legend": ("legends", "''", replaces('"legendFormat": "rate"', '"legendFormat": ""')),
    # alerts
    "an alert that is about something else": (
        "alerts",
        "TimeoutRatioHigh is about resilience_attempts",
        replaces("FailureBudgetBurn", "TimeoutRatioHigh", BURN),
    ),
    "a line of an alert that is about more": (
        "alerts",
        "Stalled is about resilience_workflows_in_flight",
        replaces("FailureBudgetBurn", "Stalled", BURN),
    ),
    # exemplars
    "no exemplars in a heatmap": ("exemplars", "0 queries", exemplars_of(0, False, HEATMAP)),
    "exemplars on a curve of durations": ("exemplars", "none to draw", exemplars_of(2, True)),
    "exemplars of a rate": ("exemplars", "none to draw", exemplars_of(0, True, "Workflows by outcome")),
    "exemplars of a ratio": ("exemplars", "none to draw", exemplars_of(0, True, "Failure ratio")),
    "exemplars in a number": ("exemplars", "none to draw", exemplars_of(0, True, "p95 now")),
    # what can be read at a glance
    "names at the bottom": ("legend", "'bottom'", legend(placement="bottom")),
    "names by alphabet": ("legend", "sortBy is 'Name'", legend(sortBy="Name")),
    "the lowest first": ("legend", "sortDesc", legend(sortDesc=False)),
    "a mean beside the maximum": ("legend", "calcs", legend(calcs=["mean", "max", "lastNotNull"])),
    "names without room": ("legend", "cut off", legend(width=300)),
    "a list of names below a wide panel": ("legend", "has room", legend(displayMode="list")),
    "a line for each of 200 operations": (
        "few lines",
        "10 operations",
        both(asks(f"sum by (operation) (rate({COUNT}[$__rate_interval]))", TREND), legends("{{operation}}")),
    ),
    "other operations at each point": (
        "few lines",
        "10 operations",
        both(asks("topk(10, sum by (operation) (x))", TREND), legends("{{operation}}")),
    ),
    "no value in the colour of health": ("no value", "looks like a value", unmapped(NUMBER)),
    "an empty cell with a sentence": ("no value", "looks like a value", unmapped(TABLE)),
    "no value in green": (
        "no value",
        "in green",
        lambda d: defaults(d, NUMBER)["mappings"][0]["options"]["result"].update(color="green"),
    ),
    "a sentence in a small panel": (
        "no value",
        "few words",
        lambda d: defaults(d, NUMBER)["mappings"][0]["options"]["result"].update(text="No traffic at all"),
    ),
    "an old value as the one now": (
        "now",
        "not the last value",
        lambda d: panel(d, NUMBER)["options"]["reduceOptions"].update(calcs=["lastNotNull"]),
    ),
    "an old value where there is none now": ("now", "none now", asks("sum(up)")),
    "a line of an alert beyond the axis": ("axes", "off an axis", without("axisSoftMax", BURN)),
    "an axis up to 10000 %": ("axes", "ends anywhere", without("axisSoftMax", "Workflows by outcome")),
    "rows below the edge": (
        "tables",
        "not seen",
        lambda d: panel(d, TABLE)["options"].update(footer={"show": False}),
    ),
    "columns beyond the edge": (
        "tables",
        "columns beyond",
        lambda d: defaults(d, TABLE)["custom"].update(minWidth=150),
    ),
    "names without room in a list of traces": (
        "tables",
        "cut off",
        lambda d: panel(d, "Failed and cancelled workflows")["targets"][0].update(
            query="{ } | select(span.a, span.b, span.c, span.d, span.e, span.f)"
        ),
    ),
    "an empty cell in the colour of health": (
        "no value",
        "none has a colour",
        replaces('"color": "transparent"', '"color": "green"', TABLE),
    ),
    "rows by alphabet": ("tables", "worst row", lambda d: panel(d, TABLE)["options"].pop("sortBy")),
    "a series without a name": (
        "empty labels",
        "named Value",
        lambda d: panel(d, TREND)["targets"][0].update(legendFormat="{{http_route}}"),
    ),
    "empty brackets beside an operation": (
        "empty labels",
        "signs around",
        lambda d: panel(d, TREND)["targets"][0].update(legendFormat="{{operation}} ({{workflow}})"),
    ),
    "attempts among what failed": (
        "finished",
        "lists attempts",
        searches('{ resource.service.name = "$job" && span.resilience.outcome = "error" }'),
    ),
    "every alert over every curve": (
        "stripes",
        "about anything",
        lambda d: d["annotations"]["list"][0].update(
            expr='max by (alertname, severity) (ALERTS{job="$job"})'
        ),
    ),
    "one alert several times": (
        "stripes",
        "several times",
        lambda d: d["annotations"]["list"][0].update(expr='ALERTS{job="$job", alertname=~"Stalled"}'),
    ),
    # links
    "no tag": ("siblings", "tag", lambda d: d.update(tags=[])),
    "links that forget the time": ("siblings", "keeps", lambda d: d["links"][0].update(keepTime=False)),
    "links that forget the variables": (
        "siblings",
        "keeps",
        lambda d: d["links"][0].update(includeVars=False),
    ),
    "hidden links": ("siblings", "hidden", lambda d: d["links"][0].update(placement="inControlsMenu")),
    "a dead link": (
        "addresses",
        "leads nowhere",
        leads("/d/retryscope-queues?${job:queryparam}&${__url_time_range}"),
    ),
    "a dead link in a table": (
        "addresses",
        "leads nowhere",
        replaces("/d/retryscope-retries?", "/d/retries?", TABLE),
    ),
    "a link to somewhere else": (
        "addresses",
        "leads nowhere",
        leads("http://127.0.0.1:3000/d/retryscope-runs"),
    ),
    "a link to nothing": ("addresses", "nothing leads nowhere", leads("")),
    "a link that forgets the time": ("addresses", "forgets", leads("/d/retryscope-runs?${job:queryparam}")),
    "a link that forgets the job": ("addresses", "forgets", leads("/d/retryscope-runs?${__url_time_range}")),
    "a link with a label that is not there": (
        "filled in",
        "label cause",
        replaces("__field.labels.outcome", "__field.labels.cause", "Workflows by outcome"),
    ),
    "a link with a column that is not there": (
        "filled in",
        "Flow",
        replaces('fields[\\"Workflow', 'fields[\\"Flow', TABLE),
    ),
    "a panel with exemplars, but no traces": (
        "into traces",
        "no link",
        lambda d: defaults(d, HEATMAP).update(links=[]),
    ),
    # traces
    "an attribute that no span has": (
        "traceql",
        "no span has an attribute resilience.retries",
        searches('{ resource.service.name = "$job" && span.resilience.retries > 1 }'),
    ),
    "an attribute to show that no span has": (
        "traceql",
        "resilience.reason",
        searches('{ resource.service.name = "$job" } | select(span.resilience.reason)'),
    ),
    "an unknown intrinsic": (
        "traceql",
        "is no condition",
        searches('{ resource.service.name = "$job" && kindness = server }'),
    ),
    "traces of every job": ("traceql", "not of the job", searches("{ status = error }")),
    "unbalanced TraceQL": ("traceql", "not { ... }", searches('{ resource.service.name = "$job"')),
    "an attribute in a link that no span has": (
        "traceql",
        "resilience.result",
        replaces("resilience.outcome", "resilience.result", "Failure ratio now"),
    ),
    "a link with a broken pane": ("traceql", "no pane", replaces("panes=%7B", "panes=", TREND)),
    "a link to another time": ("traceql", "same time range", replaces("${__from}", "now-1h", TREND)),
    "a link to another source": (
        "traceql",
        "same time range",
        replaces("${tracesource}", "${datasource}", TREND),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(good: Json, fault: str) -> None:
    rule, words, plant = FAULTS[fault]
    plant(good)
    found = findings(good)
    assert [each for each in found if each.rule == rule and words in str(each)], list(map(str, found))
