"""The Kubernetes manifests, rendered by kubectl: valid in themselves, and with each other."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from retryscope_service.api.health import HealthRoutes
from retryscope_service.api.metrics import MetricsRoutes
from retryscope_service.runs.inline import InlineRuns
from retryscope_service.settings import Settings
from tests.conftest import ROOT
from tests.support.compose import read_env
from tests.support.faults import REMOVED, Fault, assert_found, each
from tests.support.kubernetes import Manifest, findings
from tests.support.newer_tools import newer_debian_tool

KUBERNETES = ROOT / "deploy" / "kubernetes"

Objects = dict[str, Manifest]


def rendered(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `kubectl apply -k` would apply; it needs no cluster for that."""
    return subprocess.run(
        [newer_debian_tool("kubectl"), "kustomize", folder],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.fixture(scope="module")
def objects() -> Objects:
    """Every object by its kind and the part of its name that stays when the content changes."""
    done = rendered(KUBERNETES)
    assert (done.returncode, done.stderr) == (0, "")
    found = list(yaml.safe_load_all(done.stdout))
    named = {f"{one['kind']} {one['metadata']['name']}": one for one in found}
    assert len(named) == len(found)
    (config,) = (name for name, one in named.items() if "RETRYSCOPE_ENGINE_URL" in one.get("data", {}))
    named["ConfigMap"] = named.pop(config)
    return named


@pytest.fixture(scope="module")
def routes() -> set[str]:
    """The paths that probes and Prometheus may ask, from the code that serves them."""
    served = [*HealthRoutes(InlineRuns(1), list).routes(), *MetricsRoutes(CollectorRegistry()).routes()]
    return {route.path for route in served}


API = ("Deployment retryscope-api", "spec", "template", "spec")
CONTAINER = (*API, "containers", 0)
WORKER = ("Deployment retryscope-worker", "spec")
SCALER = ("HorizontalPodAutoscaler retryscope-worker", "spec")
MONITOR = ("ServiceMonitor retryscope", "spec")
PODS = ("PodMonitor retryscope-worker", "spec")
RULES = ("PrometheusRule retryscope", "spec", "groups")
COMPONENT = "app.kubernetes.io/component"

FAULTS = [
    # of the schemas
    Fault(("Deployment retryscope-api", "apiVersion"), "extensions/v1beta1", "is unknown in 1.32"),
    Fault((*API, "restartPolice"), "Always", "not valid in 1.32"),
    Fault((*CONTAINER, "ports", 0, "containerPort"), "8080", "not valid in 1.37"),
    Fault((*CONTAINER, "livenessProbe", "httpGet", "url"), "x", "not valid in 1.32"),
    Fault((*SCALER, "metrics", 0, "pods", "target", "average"), "1", "not valid in 1.32"),
    Fault((*MONITOR, "endpoint"), [], "spec.endpoint: no key of a ServiceMonitor"),
    Fault((*MONITOR, "endpoints", 0, "intervall"), "5s", "spec.endpoints.intervall: no key"),
    Fault((*MONITOR, "endpoints", 0, "authorization", "credentials_file"), "x", "credentials_file: no key"),
    Fault((*PODS, "podMetricsEndpoints"), [], "spec.podMetricsEndpoints is missing"),
    Fault((*PODS, "targetLabels"), ["x"], "spec.targetLabels: no key of a PodMonitor"),
    Fault((*RULES, 0, "rules", 0, "summary"), "x", "spec.groups.rules.summary: no key"),
    Fault((*RULES, 0, "rules", 0, "expr"), REMOVED, "needs expr"),
    Fault(RULES, [], "spec.groups is missing"),
    # of selectors, names and ports
    Fault(("Deployment retryscope-api", "metadata", "namespace"), "default", "is for `kubectl apply`"),
    Fault(
        ("Deployment retryscope-api", "spec", "template", "metadata", "labels", COMPONENT),
        "front",
        "does not match its own pods",
    ),
    Fault(
        ("Deployment retryscope-api", "spec", "selector", "matchLabels"),
        {"app.kubernetes.io/name": "retryscope"},
        "matches the pods of another workload",
    ),
    Fault(("Service retryscope", "spec", "selector", COMPONENT), "app", "the pods of 0 workloads"),
    Fault(("Service retryscope", "spec", "selector", COMPONENT), REMOVED, "the pods of 4 workloads"),
    Fault(("Service retryscope", "spec", "ports", 0, "targetPort"), "web", "no port of its pods"),
    Fault(
        ("PodDisruptionBudget retryscope-api", "spec", "selector", "matchLabels", COMPONENT),
        "front",
        "the pods of 0 workloads",
    ),
    Fault(
        ("NetworkPolicy retryscope-redis", "spec", "podSelector", "matchLabels", COMPONENT),
        "cache",
        "the pods of 0 workloads",
    ),
    Fault((*API, "serviceAccountName"), "default", "service account default"),
    Fault((*API, "enableServiceLinks"), REMOVED, "RETRYSCOPE_PORT"),
    Fault((*CONTAINER, "volumeMounts", 1, "name"), "temporary", "volume temporary is not defined"),
    Fault((*CONTAINER, "envFrom", 0, "configMapRef", "name"), "retryscope", "config map retryscope"),
    Fault((*CONTAINER, "ports", 0, "containerPort"), 80, "the process listens on 8080"),
    Fault((*CONTAINER, "image"), "retryscope:latest", "is not exact"),
    Fault((*CONTAINER, "image"), "retryscope", "is not exact"),
    # of probes and shutdown
    Fault((*CONTAINER, "livenessProbe", "httpGet", "path"), "/healthz", "/healthz, which is no route"),
    Fault((*CONTAINER, "livenessProbe", "httpGet", "path"), "/health/ready", "must ask /health/live"),
    Fault((*CONTAINER, "readinessProbe"), REMOVED, "must ask /health/ready"),
    Fault((*CONTAINER, "startupProbe", "httpGet", "port"), "web", "asks port web"),
    Fault((*API, "terminationGracePeriodSeconds"), 20, "before it has drained"),
    # of security
    Fault((*API, "securityContext", "runAsNonRoot"), REMOVED, "may run as root"),
    Fault((*API, "securityContext", "seccompProfile"), REMOVED, "no seccomp profile"),
    Fault((*API, "hostNetwork"), True, "hostNetwork takes it"),
    Fault((*API, "volumes", 1), {"name": "tmp", "hostPath": {"path": "/tmp"}}, "folder of the node"),  # noqa: S108
    Fault((*CONTAINER, "securityContext", "allowPrivilegeEscalation"), True, "gain privileges"),
    Fault((*CONTAINER, "securityContext", "capabilities"), {"add": ["ALL"]}, "keeps capabilities"),
    Fault((*CONTAINER, "securityContext", "readOnlyRootFilesystem"), False, "can be written to"),
    Fault((*CONTAINER, "resources", "limits"), REMOVED, "no memory limit"),
    Fault((*CONTAINER, "volumeMounts", 0, "mountPath"), "/secrets", "no secret is mounted"),
    # of scaling and monitoring
    Fault((*SCALER, "scaleTargetRef", "name"), "worker", "Deployment worker is not defined"),
    Fault((*WORKER, "replicas"), 3, "every rollout would undo"),
    Fault((*SCALER, "metrics", 0, "pods", "metric", "name"), "runs_in_flight", "no metric"),
    Fault((*MONITOR, "selector", "matchLabels", COMPONENT), "front", "it selects 0 targets"),
    Fault((*MONITOR, "jobLabel"), "app.kubernetes.io/component", "is not retryscope"),
    Fault((*MONITOR, "jobLabel"), REMOVED, "is not retryscope"),
    Fault((*MONITOR, "endpoints", 0, "port"), "8080", "no port of its targets"),
    Fault((*MONITOR, "endpoints", 0, "path"), "/prometheus", "is no route"),
    Fault((*MONITOR, "endpoints", 0, "authorization"), REMOVED, "does not send the token"),
    Fault((*PODS, "podMetricsEndpoints", 0, "port"), "http", "no port of its targets"),
    Fault(("PodMonitor retryscope-upstream", "spec", "jobLabel"), REMOVED, "is not upstream"),
]


@each(FAULTS)
def test_a_fault_in_the_manifests_is_found(fault: Fault, objects: Objects, routes: set[str]) -> None:
    def check(documents: Any) -> list[str]:
        return list(findings(list(documents.values()), routes))

    assert_found(fault, objects, check)


def test_kubectl_refuses_a_reference_to_nowhere(tmp_path: Path) -> None:
    """Otherwise its rendering would say nothing."""
    (tmp_path / "kustomization.yaml").write_text("resources: [api.yaml]\n")
    done = rendered(tmp_path)
    assert done.returncode != 0
    assert "api.yaml" in done.stderr


def test_versions_are_those_of_the_compose_stack(objects: Objects) -> None:
    variables = read_env(ROOT / ".env")
    images = {
        container["image"]
        for one in objects.values()
        if one["kind"] in {"Deployment", "StatefulSet"}
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert images == {f"retryscope:{variables['RETRYSCOPE_VERSION']}", variables["REDIS_IMAGE"]}


def test_the_configuration_consists_of_settings_and_names_what_is_beside_it(objects: Objects) -> None:
    data = objects["ConfigMap"]["data"]
    settings = {f"RETRYSCOPE_{field.upper()}" for field in Settings.model_fields}
    assert {name for name in data if not name.startswith("OTEL_")} <= settings
    service = objects["Service retryscope-redis"]
    (port,) = service["spec"]["ports"]
    upstream = objects["Service retryscope-upstream"]
    (calls,) = upstream["spec"]["ports"]
    assert data["RETRYSCOPE_UPSTREAM_URL"] == f"http://{upstream['metadata']['name']}:{calls['port']}"
    assert data["RETRYSCOPE_ENGINE_URL"] == f"redis://{service['metadata']['name']}:{port['port']}/0"


def test_only_the_service_and_its_workers_reach_redis(objects: Objects) -> None:
    """Who can write to it can run code in the workers."""
    (rule,) = objects["NetworkPolicy retryscope-redis"]["spec"]["ingress"]
    (peer,) = rule["from"]
    wanted = {one["key"]: one["values"] for one in peer["podSelector"]["matchExpressions"]}
    assert wanted == {"app.kubernetes.io/name": ["retryscope"], COMPONENT: ["api", "worker"]}


def test_redis_gets_nowhere_by_itself(objects: Objects) -> None:
    spec = objects["NetworkPolicy retryscope-redis"]["spec"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert "egress" not in spec


def test_redis_asks_for_the_password_that_the_service_and_its_workers_have(objects: Objects) -> None:
    """From the Secret that is mounted where they look for their settings; docs/operations.md makes it."""
    (container,) = objects["StatefulSet retryscope-redis"]["spec"]["template"]["spec"]["containers"]
    (variable,) = container["env"]
    source = variable["valueFrom"]["secretKeyRef"]
    arguments = container["args"]
    assert arguments[arguments.index("--requirepass") + 1] == f"$({variable['name']})"
    assert variable["name"] == "REDISCLI_AUTH"
    assert source["key"] == "retryscope_engine_password"
    assert source["key"].removeprefix("retryscope_") in Settings.model_fields
    for name in ("Deployment retryscope-api", "Deployment retryscope-worker"):
        volumes = objects[name]["spec"]["template"]["spec"]["volumes"]
        assert [each["secret"]["secretName"] for each in volumes if "secret" in each] == [source["name"]]
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert f"create secret generic {source['name']} " in documented
    assert f"--from-literal={source['key']}=" in documented


def test_redis_keeps_what_was_accepted(objects: Objects) -> None:
    (container,) = objects["StatefulSet retryscope-redis"]["spec"]["template"]["spec"]["containers"]
    arguments = container["args"]
    assert arguments[arguments.index("--appendfsync") + 1] == "always"
    assert arguments[arguments.index("--maxmemory-policy") + 1] == "noeviction"


def test_every_dashboard_is_there_as_a_config_map(objects: Objects) -> None:
    shown = {
        json.loads(text)["uid"]
        for one in objects.values()
        if one["kind"] == "ConfigMap"
        for name, text in one["data"].items()
        if name.endswith(".json")
    }
    assert shown == {path.stem for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
    assert shown


def test_every_object_is_small_enough_for_kubectl_apply(objects: Objects) -> None:
    """It keeps a copy of the object in an annotation, and annotations have 256 KiB."""
    large = [name for name, one in objects.items() if len(json.dumps(one)) > 200 * 1024]
    assert large == []


def test_the_documented_overlay_renders(tmp_path: Path) -> None:
    """With its own namespace, image and collector, and these manifests below it."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (overlay,) = re.findall(r"^```yaml\n(.*?kind: Kustomization.*?)^```", page, re.DOTALL | re.MULTILINE)
    settings = yaml.safe_load(overlay)
    below = os.path.relpath(KUBERNETES, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({**settings, "resources": [below]}))
    done = rendered(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = list(yaml.safe_load_all(done.stdout))
    assert {one["metadata"]["namespace"] for one in found} == {settings["namespace"]}
    images = {image["newName"] for image in settings["images"]}
    api = next(one for one in found if one["metadata"]["name"] == "retryscope-api")
    (container,) = api["spec"]["template"]["spec"]["containers"]
    assert container["image"].rpartition(":")[0] in images
    config = container["envFrom"][0]["configMapRef"]["name"]
    (data,) = (one["data"] for one in found if one["metadata"]["name"] == config)
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "RETRYSCOPE_ENGINE_URL"} <= data.keys()


def test_the_rules_are_those_of_the_compose_stack(objects: Objects) -> None:
    plain = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules" / "retryscope.yml").read_text())
    assert objects["PrometheusRule retryscope"]["spec"]["groups"] == plain["groups"]
