"""The committed dashboards are what Python builds, and keep the rules that Grafana does not enforce."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import promql_parser
import pytest
import yaml

from grafana import traces
from grafana.__main__ import main
from retryscope import semconv
from retryscope.operation import declared
from retryscope_service import workflows as _declares_operations  # noqa: F401
from retryscope_service.slo import dashboards
from tests.conftest import ROOT
from tests.support.dashboards.check import check
from tests.support.dashboards.model import Finding, Json, load, panels, provisioned, strings, variables
from tests.support.dashboards.queries import expressions
from tests.support.dashboards.usage import used_families
from tests.support.known import DIAGNOSTIC, PROCESS, Series, families_in, table
from tests.support.names import ATTRIBUTES, METRICS
from tests.support.newer_tools import newer_debian_tool

FOLDER = ROOT / "grafana" / "dashboards"
PROVISIONING = ROOT / "grafana" / "provisioning"
DOCUMENT = (ROOT / "docs" / "dashboards.md").read_text()
RULES = ROOT / "deploy" / "prometheus" / "rules"

UIDS = (
    "retryscope-cancellations",
    "retryscope-dependencies",
    "retryscope-library",
    "retryscope-overview",
    "retryscope-retries",
    "retryscope-runs",
    "retryscope-service",
    "retryscope-workflows",
)


@cache
def known() -> dict[str, Series]:
    return table(RULES)


def findings(dashboard: Json) -> list[Finding]:
    sources = provisioned(PROVISIONING / "datasources")
    return list(check(dashboard, known=known(), provisioned=sources, uids=UIDS, rules=RULES))


@pytest.fixture(params=UIDS)
def dashboard(request: pytest.FixtureRequest) -> Json:
    (found,) = (each for each in load(FOLDER) if each["uid"] == request.param)
    return found


def into(folder: Path) -> list[str]:
    """Options to write both variants into folders of their own."""
    for name in ("dashboards", "importable"):
        (folder / name).mkdir()
    return ["--output", str(folder / "dashboards"), "--importable", str(folder / "importable")]


def test_what_is_committed_is_what_python_builds_byte_by_byte(tmp_path: Path) -> None:
    """`make generate` writes it, once to be provisioned and once to be imported."""
    assert main(into(tmp_path)) == 0
    for name in ("dashboards", "importable"):
        built = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        committed = (ROOT / "grafana" / name).glob("*.json")
        assert {path.name: path.read_bytes() for path in committed} == built
        assert sorted(built) == [f"{uid}.json" for uid in UIDS]


def test_two_processes_build_the_same_bytes(tmp_path: Path) -> None:
    """Nothing depends on the order of a set or on a hash."""
    command = [sys.executable, "-m", "grafana", *into(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, env={"PYTHONHASHSEED": "7"})
    for path in tmp_path.rglob("*.json"):
        assert path.read_bytes() == (ROOT / "grafana" / path.parent.name / path.name).read_bytes()


@pytest.mark.parametrize("option", ["--output", "--importable"])
def test_a_folder_that_does_not_exist_is_refused_by_name(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*into(tmp_path), option, str(tmp_path / "nowhere")])
    assert f"{option} {tmp_path / 'nowhere'} is no folder" in capsys.readouterr().err


def test_an_imported_dashboard_asks_for_each_data_source_and_is_otherwise_the_same(dashboard: Json) -> None:
    """Grafana's import form asks for each input, and replaces `${NAME}` by the uid that is chosen."""
    text = (ROOT / "grafana" / "importable" / f"{dashboard['uid']}.json").read_text()
    inputs = {each["name"]: each for each in json.loads(text)["__inputs"]}
    assert {name: each["pluginId"] for name, each in inputs.items()} == {
        "DS_PROMETHEUS": "prometheus",
        "DS_TEMPO": "tempo",
    }
    for name, each in inputs.items():
        assert each["type"] == "datasource"
        assert f"${{{name}}}" in text, "nothing needs it"
        text = text.replace(f"${{{name}}}", each["pluginId"])
    chosen = json.loads(text)
    assert "${DS_" not in text
    del chosen["__inputs"]
    for variable in (*chosen["templating"]["list"], *dashboard["templating"]["list"]):
        if variable["type"] == "datasource":
            del variable["current"]["text"]
    assert chosen == {**dashboard, "editable": True}


def test_an_alert_is_drawn_on_the_dashboard_that_it_leads_to() -> None:
    drawn = {
        each["uid"]: next(a["expr"] for a in each["annotations"]["list"] if "ALERTS" in a["expr"])
        for each in load(FOLDER)
    }
    for path in RULES.glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in (rule for rule in group["rules"] if "alert" in rule):
                found = re.search(r"/d/([a-z-]+)", rule["annotations"]["dashboard_url"])
                assert found
                assert re.search(rf"\b{rule['alert']}\b", drawn[found[1]]), (rule["alert"], found[1])


def test_names_that_the_service_declares_do_not_break_links_into_traces() -> None:
    """Grafana fills in `${operation:pipe}` as it is."""
    names = {text for each in declared() for text in (each.workflow or "", each.name)}
    assert {"retry", "flaky_api_call", "Database Query"} <= names
    assert [name for name in names if traces.BREAKS_LINKS & set(name)] == []


def test_a_dashboard_keeps_every_rule(dashboard: Json) -> None:
    assert list(map(str, findings(dashboard))) == []


def test_the_dashboards_are_those_that_the_links_know() -> None:
    names = {value for name, value in vars(dashboards).items() if name.isupper()}
    assert {value for value in names if isinstance(value, str) and value.startswith("retryscope-")} == set(
        UIDS
    )


QUESTIONS = {
    "failure ratio": "Failure ratio",
    "amplification": "Amplification",
    "attempts per success": "Attempts per success",
    "share of time lost in backoff": "Share of time lost waiting",
    "attempt timeout ratio": "Attempts that timed out",
    "cancellations by cause": "Cancellations by cause",
    "cleanup p95": "Cleanup p95",
    "in flight": "Operations in flight",
    "exhausted retries": "Exhausted retries",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_of_the_telemetry_model_is_a_panel_for_any_service(question: str) -> None:
    """The library's dashboard needs nothing but the library."""
    (library,) = (each for each in load(FOLDER) if each["uid"] == dashboards.LIBRARY)
    assert QUESTIONS[question] in {panel["title"] for panel in panels(library)}


def test_the_librarys_dashboard_asks_for_the_librarys_metrics_only() -> None:
    (library,) = (each for each in load(FOLDER) if each["uid"] == dashboards.LIBRARY)
    assert "retryscope_" not in " ".join(expression for _, expression in expressions(library))


def test_every_metric_is_used_by_a_dashboard_or_a_rule_or_is_diagnostic() -> None:
    used = used_families(load(FOLDER), RULES)
    assert set(METRICS) - used == set(DIAGNOSTIC) & set(METRICS)
    assert set(PROCESS) <= used


def test_an_alert_leads_to_a_dashboard_with_the_variables_that_it_fills_in() -> None:
    by_uid = {each["uid"]: each for each in load(FOLDER)}
    alerts = [
        rule
        for path in RULES.glob("*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert alerts
    for alert in alerts:
        url = alert["annotations"]["dashboard_url"]
        found = re.search(r"/d/([a-z-]+)\?", url)
        assert found, alert["alert"]
        filled = set(re.findall(r"var-(\w+)=", url))
        assert filled <= set(variables(by_uid[found[1]])), alert["alert"]
        assert "job" in filled, alert["alert"]


def test_the_document_lists_each_dashboard_with_its_variables() -> None:
    rows = re.findall(r"^\| \[([^\]]+)\]\(\S+/d/(\S+)\) \|.*\| ([a-z, ]+) \|$", DOCUMENT, flags=re.MULTILINE)
    documented = {uid: (title, names.split(", ")) for title, uid, names in rows}
    assert documented == {
        each["uid"]: (
            each["title"],
            [name for name in variables(each) if name not in ("datasource", "tracesource")],
        )
        for each in load(FOLDER)
    }


# Provisioning


def sources() -> dict[str, Json]:
    file = yaml.safe_load((PROVISIONING / "datasources" / "datasources.yml").read_text())
    return {source["uid"]: source for source in file["datasources"]}


def test_the_sources_point_at_each_other_and_at_the_stack() -> None:
    assert set(sources()) == {"prometheus", "tempo", "alertmanager"}
    prometheus, tempo = sources()["prometheus"]["jsonData"], sources()["tempo"]["jsonData"]
    assert [link["name"] for link in prometheus["exemplarTraceIdDestinations"]] == ["trace_id"]
    named = {
        prometheus["exemplarTraceIdDestinations"][0]["datasourceUid"],
        tempo["tracesToMetrics"]["datasourceUid"],
        tempo["serviceMap"]["datasourceUid"],
    }
    assert named == {"prometheus", "tempo"}
    assert sources()["alertmanager"]["jsonData"]["implementation"] == "prometheus"
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for source in sources().values():
        host = re.fullmatch(r"http://([a-z]+):\d+", source["url"])
        assert host, source
        assert host[1] in services, source


def test_the_source_knows_how_often_prometheus_scrapes() -> None:
    """Else $__rate_interval is too short and every rate is empty."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    intervals = {config["global"]["scrape_interval"]}
    intervals |= {job["scrape_interval"] for job in config["scrape_configs"] if "scrape_interval" in job}
    assert {sources()["prometheus"]["jsonData"]["timeInterval"]} == intervals


@pytest.mark.parametrize("path", sorted(PROVISIONING.rglob("*.yml")), ids=lambda path: path.stem)
def test_dollar_signs_for_grafana_are_written_twice(path: Path) -> None:
    """Grafana expands $NAME in provisioning files, and what is not set becomes nothing."""
    for text in strings(yaml.safe_load(path.read_text())):
        assert re.findall(r"(?<!\$)(?:\$\$)*\$(?!\$)", text) == [], text


def test_the_way_from_a_trace_to_metrics_uses_names_that_exist() -> None:
    link = sources()["tempo"]["jsonData"]["tracesToMetrics"]
    labels = {tag["value"]: tag["key"] for tag in link["tags"]}
    assert set(labels.values()) <= {*ATTRIBUTES, "service.name"}
    assert link["queries"]
    for query in link["queries"]:
        filled = query["query"].replace("$$__tags", ",".join(f'{label}="x"' for label in labels))
        expression = filled.replace("$$__rate_interval", "5m")
        promql_parser.parse(expression)
        assert families_in(expression) <= set(METRICS)
    assert set(labels) <= {"job", *semconv.OPERATION_DURATION.labels}


def test_the_dashboards_are_provisioned_read_only_from_where_they_are_mounted() -> None:
    file = yaml.safe_load((PROVISIONING / "dashboards" / "dashboards.yml").read_text())
    (provider,) = file["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True


def test_every_dashboard_is_a_config_map_that_grafanas_sidecar_loads() -> None:
    command = [str(newer_debian_tool("kubectl")), "kustomize", str(FOLDER)]
    output = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    maps = {each["metadata"]["name"]: each for each in yaml.safe_load_all(output)}
    assert set(maps) == set(UIDS)
    for uid, each in maps.items():
        assert each["metadata"]["labels"] == {"grafana_dashboard": "1"}
        assert each["data"] == {f"{uid}.json": (FOLDER / f"{uid}.json").read_text()}
