"""The compose file: what Docker Compose itself says of it, and what it can't know."""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from retryscope_service.cli.upstream import DEFAULT_PORT as UPSTREAM_PORT
from retryscope_service.settings import Settings
from tests.conftest import ROOT
from tests.support.compose import SECRET_FILE, Compose, findings, read_compose, read_env
from tests.support.durations import seconds
from tests.support.faults import REMOVED, Fault, assert_found, each
from tests.support.newer_tools import newer_debian_tool
from tests.support.otlp_receiver import reserved_port
from tests.support.process import serve_in_vain

ALWAYS = {
    "database",
    "secrets",
    "retryscope",
    "upstream",
    "collector",
    "tempo",
    "prometheus",
    "alertmanager",
    "grafana",
}
PROFILES = {"": set[str](), "load": {"load"}, "scale": {"redis", "worker"}}


@pytest.fixture
def compose() -> Compose:
    return read_compose(ROOT / "docker-compose.yml")


@pytest.fixture
def variables() -> dict[str, str]:
    return read_env(ROOT / ".env")


def configured(profile: str, folder: str = ".", **variables: str) -> subprocess.CompletedProcess[str]:
    """What the real Docker Compose makes of the file: it needs no engine for that."""
    return subprocess.run(
        [
            newer_debian_tool("docker-compose"),
            *("--project-directory", str(ROOT / folder)),
            *(("--profile", profile) if profile else ()),
            *("config", "--format", "json"),
        ],
        cwd=ROOT / folder,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_docker_compose_accepts_the_file_with_every_profile(profile: str) -> None:
    done = configured(profile)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)["services"]) == ALWAYS | PROFILES[profile]


def test_docker_compose_refuses_a_file_that_it_does_not_understand(tmp_path: Any) -> None:
    """Otherwise its acceptance would say nothing."""
    broken = (ROOT / "docker-compose.yml").read_text().replace("read_only: true", "readonly: true")
    (tmp_path / "docker-compose.yml").write_text(broken)
    (tmp_path / ".env").write_text((ROOT / ".env").read_text())
    done = configured("", str(tmp_path))
    assert done.returncode != 0
    assert "readonly" in done.stderr


def test_the_engine_of_the_api_and_of_the_workers_is_one_variable() -> None:
    """With it set to Redis, which the profile brings, all processes share the runs."""
    url = "redis://redis:6379/0"
    services = json.loads(configured("scale", RETRYSCOPE_ENGINE_URL=url).stdout)["services"]
    assert {services[name]["environment"]["RETRYSCOPE_ENGINE_URL"] for name in ("retryscope", "worker")} == {
        url
    }
    assert services["worker"]["deploy"]["replicas"] == 3
    assert services["retryscope"]["depends_on"]["redis"]["condition"] == "service_healthy"


def test_the_documented_command_names_the_redis_that_the_profile_brings(compose: Compose) -> None:
    documents = (ROOT / "docker-compose.yml", ROOT / "docs" / "operations.md")
    command = "RETRYSCOPE_ENGINE_URL=redis://redis:6379/0 docker compose --profile scale up"
    assert all(command in document.read_text() for document in documents)
    assert compose["services"]["redis"]["profiles"] == ["scale"]


SERVICES = ("services",)
GRAFANA = ("services", "grafana")

FAULTS = [
    Fault(("services", "tempo", "image"), "grafana/tempo:3.0.3", "not pinned in .env"),
    Fault(("services", "tempo", "image"), "grafana/tempo:${TEMPO}", "TEMPO is not in .env"),
    Fault(("services", "tempo", "ports"), ["3200:3200"], "not published on 127.0.0.1"),
    Fault(("services", "tempo", "ports"), ["0.0.0.0:3200:3200"], "not published on 127.0.0.1"),
    Fault(("services", "tempo", "ports"), [{"target": 3200, "published": 3200}], "not published on"),
    Fault(("services", "tempo", "user"), "0:0", "not root's"),
    Fault(("services", "tempo", "user"), REMOVED, "not root's"),
    Fault(("services", "tempo", "user"), "root", "not root's"),
    Fault(("services", "tempo", "read_only"), False, "can be written to"),
    Fault(("services", "tempo", "cap_drop"), REMOVED, "keeps capabilities"),
    Fault(("services", "tempo", "cap_add"), ["NET_ADMIN"], "keeps capabilities"),
    Fault(("services", "tempo", "security_opt"), [], "gain privileges"),
    Fault(("services", "tempo", "privileged"), True, "out of its isolation"),
    Fault(("services", "tempo", "network_mode"), "host", "out of its isolation"),
    Fault(("services", "tempo", "deploy"), REMOVED, "no limit of its memory"),
    Fault(("services", "tempo", "logging"), {"driver": "json-file"}, "grows without end"),
    Fault(("services", "tempo", "healthcheck"), REMOVED, "no health check"),
    Fault(("services", "tempo", "healthcheck", "test", 0), "CMD-SHELL", "needs a shell"),
    Fault(("services", "collector", "healthcheck"), {"test": ["CMD", "true"]}, "nothing can ask"),
    Fault(("services", "tempo", "volumes", 0), "./deploy/tempo.yaml:/etc/x:ro", "does not exist"),
    Fault(("services", "tempo", "volumes", 0), "./deploy/tempo/tempo.yaml:/etc/x", "can be written to"),
    Fault(("services", "tempo", "volumes", 0), "/var/run/docker.sock:/var/run/docker.sock:ro", "socket"),
    Fault(("services", "tempo", "volumes", 1), "traces:/var/tempo", "volume traces is not declared"),
    Fault(("services", "grafana", "depends_on", "loki"), {"condition": "service_started"}, "not defined"),
    Fault(("services", "grafana", "depends_on", "redis"), {"condition": "service_healthy"}, "profile only"),
    Fault(
        ("services", "retryscope", "depends_on", "collector", "condition"),
        "service_healthy",
        "which has no health check",
    ),
    Fault(("services", "retryscope", "environment", "RETRYSCOPE_PROT"), "1", "is no setting"),
    Fault(("services", "retryscope", "environment", "RETRYSCOPE_API_TOKEN"), "x" * 16, "in a file"),
    Fault(("services", "retryscope", "environment", "OTEL_EXPORTER_ENDPOINT"), "x", "is no variable"),
    Fault(("services", "retryscope", "volumes"), [], "need the API token"),
    Fault(("services", "retryscope", "volumes"), ["secrets:/run/secrets"], "it can write the secrets"),
    Fault(("services", "prometheus", "secrets"), ["token"], "is known to everybody"),
    Fault(("services", "prometheus", "depends_on"), REMOVED, "until the secrets are made"),
    Fault(
        ("services", "alertmanager", "depends_on", "secrets", "condition"),
        "service_started",
        "until the secrets are made",
    ),
    Fault(("services", "secrets", "restart"), REMOVED, "started again for ever"),
    Fault(("services", "secrets", "volumes", 1), "secrets:/secrets", "where the others read them"),
    Fault(("services", "secrets", "healthcheck"), {"test": ["CMD", "true"]}, "nothing can ask"),
    Fault(("services", "redis", "networks"), REMOVED, "others than retryscope, worker reach it"),
    Fault(("services", "redis", "networks"), ["engine", "default"], "others than retryscope, worker"),
    Fault(("services", "load", "networks"), ["default", "engine"], "it reaches redis"),
    Fault(("services", "worker", "networks"), ["default", "database"], "it does not reach redis"),
    Fault(("services", "database", "networks"), REMOVED, "others than retryscope, upstream, worker"),
    Fault(("services", "load", "networks"), ["default", "database"], "it reaches database"),
    Fault(("services", "upstream", "networks"), ["default"], "it does not reach database"),
    Fault(("networks", "database"), {}, "network database leads out"),
    Fault(("services", "worker", "networks"), ["default", "redis"], "network redis is not declared"),
    Fault(("networks", "engine"), {}, "network engine leads out"),
    Fault(("services", "redis", "command", 1), "/etc/redis.conf", "/run/secrets/redis.conf is missing"),
    Fault(("services", "retryscope", "stop_grace_period"), REMOVED, "before it has drained"),
    Fault(("services", "worker", "stop_grace_period"), "15s", "before it has drained"),
    Fault(("services", "prometheus", "command"), [], "exemplar-storage is missing"),
    Fault(("services", "alertmanager", "command"), [], "--cluster.listen-address= is missing"),
    Fault(("services", "redis", "command", 5), "everysec", "always is missing"),
    Fault(("services", "grafana", "environment", "GF_AUTH_ANONYMOUS_ORG_ROLE"), "Admin", "a Viewer"),
]


@each(FAULTS)
def test_a_fault_in_the_compose_file_is_found(
    fault: Fault, compose: Compose, variables: dict[str, str]
) -> None:
    assert_found(fault, compose, lambda document: findings(document, variables, ROOT))


def test_the_tag_of_postgresql_has_two_numbers(compose: Compose, variables: dict[str, str]) -> None:
    changed = {**variables, "POSTGRES_IMAGE": "postgres:17"}
    assert "database: the tag '17' of its image is not exact" in findings(compose, changed, ROOT)


@pytest.mark.parametrize("tag", ["latest", "3", "3.0", "main", "3.0.3-rc"])
def test_an_inexact_tag_in_env_is_found(tag: str, compose: Compose, variables: dict[str, str]) -> None:
    changed = {**variables, "TEMPO_IMAGE": f"grafana/tempo:{tag}"}
    assert f"tempo: the tag {tag!r} of its image is not exact" in findings(compose, changed, ROOT)


def test_env_has_the_version_of_the_project(variables: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert variables["RETRYSCOPE_VERSION"] == project["version"]


def test_every_variable_of_env_is_used(variables: dict[str, str]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert [name for name in variables if f"${{{name}}}" not in text] == []


# What the services are started with


def test_the_traffic_is_a_command_that_retryscope_understands(compose: Compose) -> None:
    """Asked to send to an address where nobody is, it complains of that and not of its arguments."""
    command, *arguments = compose["services"]["load"]["command"]
    with reserved_port() as port:
        nobody = f"http://127.0.0.1:{port}"
        changed = [nobody if word == "http://retryscope:8080" else word for word in arguments]
        assert nobody in changed
        ended = serve_in_vain(*changed, command=command)
    assert (ended.status, ended.stdout) == (2, "")
    assert f"no service answers at {nobody}" in ended.stderr


def test_a_worker_without_the_shared_engine_says_what_to_set(
    compose: Compose, variables: dict[str, str]
) -> None:
    """`--profile scale` without the variable must not end in workers that silently do nothing."""
    (command,) = compose["services"]["worker"]["command"]
    ended = serve_in_vain(command=command, RETRYSCOPE_ENGINE_URL=variables["RETRYSCOPE_ENGINE_URL"])
    assert ended.status == 2
    assert "RETRYSCOPE_ENGINE_URL" in ended.stderr
    assert compose["services"]["worker"]["restart"].startswith("on-failure:")


def test_health_checks_and_published_ports_are_where_the_processes_listen(compose: Compose) -> None:
    ports = {name: Settings.model_fields[name].default for name in ("port", "worker_port")}
    services = compose["services"]
    assert services["retryscope"]["ports"] == [f"127.0.0.1:${{RETRYSCOPE_PUBLISHED_PORT}}:{ports['port']}"]
    assert (
        f"http://127.0.0.1:{ports['worker_port']}/health/live"
        in services["worker"]["healthcheck"]["test"][-1]
    )
    config = yaml.safe_load((ROOT / PARTS["prometheus"]).read_text())
    (ours,) = (job for job in config["scrape_configs"] if job["job_name"] == "retryscope")
    assert ours["static_configs"] == [{"targets": [f"retryscope:{ports['port']}"]}]
    assert services["upstream"]["ports"] == [f"127.0.0.1:${{UPSTREAM_PUBLISHED_PORT}}:{UPSTREAM_PORT}"]
    assert f"http://127.0.0.1:{UPSTREAM_PORT}/health/live" in services["upstream"]["healthcheck"]["test"][-1]
    for name in ("retryscope", "worker"):
        assert services[name]["environment"]["RETRYSCOPE_UPSTREAM_URL"] == f"http://upstream:{UPSTREAM_PORT}"
    (upstream,) = (job for job in config["scrape_configs"] if job["job_name"] == "upstream")
    assert upstream["static_configs"] == [{"targets": [f"upstream:{UPSTREAM_PORT}"]}]
    (found,) = ours["dns_sd_configs"]
    assert (found["names"], found["port"]) == (["worker"], ports["worker_port"])


def test_prometheus_remembers_longer_than_the_failure_budget_looks_back(compose: Compose) -> None:
    (retention,) = (
        word.removeprefix("--storage.tsdb.retention.time=")
        for word in compose["services"]["prometheus"]["command"]
        if word.startswith("--storage.tsdb.retention.time=")
    )
    slo = yaml.safe_load((ROOT / "service" / "retryscope_service" / "slo" / "slo.yml").read_text())
    assert seconds(retention) > seconds(slo["objective"]["window"])


def test_grafana_finds_its_dashboards_where_they_are_mounted(compose: Compose) -> None:
    """Its start page among them."""
    grafana = compose["services"]["grafana"]
    mounted = dict(mount.split(":")[:2] for mount in grafana["volumes"] if mount.startswith("."))
    folder = mounted["./grafana/dashboards"]
    start = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "grafana" / "dashboards" / start.removeprefix(f"{folder}/")).is_file()
    provisioning = ROOT / "grafana" / "provisioning" / "dashboards"
    providers = [
        one for file in provisioning.glob("*.y*ml") for one in yaml.safe_load(file.read_text())["providers"]
    ]
    assert [provider["options"]["path"] for provider in providers] == [folder]


# What the configurations of the parts say of each other


def strings(value: Any) -> Iterator[str]:
    """Every text in a YAML document."""
    if isinstance(value, dict):
        yield from (text for below in value.values() for text in strings(below))
    elif isinstance(value, list):
        yield from (text for below in value for text in strings(below))
    elif isinstance(value, str):
        yield value


PARTS = {
    "prometheus": "deploy/prometheus/prometheus.yml",
    "alertmanager": "deploy/alertmanager/alertmanager.yml",
    "tempo": "deploy/tempo/tempo.yaml",
    "collector": "deploy/collector/config.yaml",
}


@pytest.mark.parametrize("part", ["prometheus", "alertmanager"])
def test_a_credentials_file_is_the_secret_that_is_mounted(part: str, compose: Compose) -> None:
    config = yaml.safe_load((ROOT / PARTS[part]).read_text())
    named = {text for text in strings(config) if text.startswith("/run/")}
    assert named == {SECRET_FILE}
    assert "secrets:/run/secrets:ro" in compose["services"][part]["volumes"]


def test_every_address_in_a_configuration_is_a_service_of_the_stack(compose: Compose) -> None:
    """A misspelt host would be a part that silently gets nothing."""
    named = set()
    for part, file in PARTS.items():
        for text in strings(yaml.safe_load((ROOT / file).read_text())):
            if part == "prometheus" and text == "worker":
                named.add("worker")
            text = re.sub(r"\$\{[^}]+\}", "", text)  # the collector's variables
            host = urlsplit(text if "://" in text else f"//{text}").hostname if ":" in text else None
            if host and host not in {"127.0.0.1", "0.0.0.0"}:  # noqa: S104 - in their containers
                named.add(host)
    assert {"retryscope", "worker", "prometheus", "alertmanager", "tempo"} <= named
    assert named - set(compose["services"]) == set()
