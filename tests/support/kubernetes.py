"""What is wrong with rendered Kubernetes manifests: against the schemas, and with each other."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]

from retryscope_service.cli.upstream import DEFAULT_PORT as UPSTREAM_PORT
from retryscope_service.settings import SECRETS_DIR, Settings
from tests.support.custom_resources import CUSTOM, custom_findings
from tests.support.names import METRICS

Manifest = dict[str, Any]

VERSIONS = ("1.32", "1.37")
"""The oldest Kubernetes that these manifests are for, and the newest whose schemas there are."""

TOKEN_KEY = "retryscope_api_token"  # noqa: S105 - its name
_EXACT_TAG = re.compile(r".+:v?\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Manifests:
    """All objects of one rendering."""

    objects: list[Manifest]

    def kind(self, *kinds: str) -> list[Manifest]:
        """The objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    @property
    def workloads(self) -> list[Manifest]:
        """What makes pods."""
        return self.kind("Deployment", "StatefulSet")

    def pods(self, labels: Mapping[str, str]) -> list[Manifest]:
        """The templates of pods with all these labels."""
        templates: list[Manifest] = [each["spec"]["template"] for each in self.workloads]
        return [each for each in templates if labels.items() <= each["metadata"]["labels"].items()]

    def names(self, kind: str) -> set[str]:
        """The names of the objects of a kind."""
        return {each["metadata"]["name"] for each in self.kind(kind)}


def findings(objects: list[Manifest], routes: Collection[str]) -> Iterator[str]:
    """What is wrong; ``routes`` are the paths that the service answers without a token, and /metrics."""
    manifests = Manifests(objects)
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        checks = [_schema(each), _selectors(each, manifests), _namespace(each)]
        if each in manifests.workloads:
            checks += [_security(each), _containers(each, manifests, routes)]
        if each["kind"] == "HorizontalPodAutoscaler":
            checks.append(_autoscaling(each, manifests))
        if each["kind"] in {"ServiceMonitor", "PodMonitor"}:
            checks.append(_monitoring(each, manifests, routes))
        for check in checks:
            for finding in check:
                yield f"{name}: {finding}"


def _schema(each: Manifest) -> Iterator[str]:
    if each["kind"] in CUSTOM:
        yield from custom_findings(each)
        return
    for version in VERSIONS:
        yield from _invalid(json.dumps(each), version)


@cache  # it reads all schemas of a version anew each time
def _invalid(text: str, version: str) -> list[str]:
    each = json.loads(text)
    try:
        kubernetes_validate.validate(each, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"not valid in {version}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError:
        return [f"{each['apiVersion']} is unknown in {version}"]
    return []


def _namespace(each: Manifest) -> Iterator[str]:
    if "namespace" in each["metadata"]:
        yield "the namespace is for `kubectl apply` to say"


def _selectors(each: Manifest, manifests: Manifests) -> Iterator[str]:
    spec = each.get("spec", {})
    if each in manifests.workloads:
        wanted = spec["selector"]["matchLabels"]
        if not wanted.items() <= spec["template"]["metadata"]["labels"].items():
            yield "its selector does not match its own pods"
        if len(manifests.pods(wanted)) != 1:
            yield "its selector matches the pods of another workload"
        for constraint in spec["template"]["spec"].get("topologySpreadConstraints", []):
            if constraint["labelSelector"]["matchLabels"] != wanted:
                yield "it spreads other pods than its own"
    elif each["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"}:
        wanted = spec["podSelector"] if each["kind"] == "NetworkPolicy" else spec["selector"]
        pods = manifests.pods(wanted.get("matchLabels", wanted))
        if len(pods) != 1:
            yield f"it selects the pods of {len(pods)} workloads"
        if each["kind"] == "Service":
            offered = {port["name"] for pod in pods for port in _ports(pod)}
            for port in spec["ports"]:
                if port["targetPort"] not in offered:
                    yield f"target port {port['targetPort']} is no port of its pods"


def _ports(pod: Manifest) -> Iterator[Manifest]:
    for container in pod["spec"]["containers"]:
        yield from container.get("ports", [])


def _security(each: Manifest) -> Iterator[str]:
    """What the Pod Security Standard `restricted` asks for, and a read-only root on top."""
    pod = each["spec"]["template"]["spec"]
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or not context.get("runAsUser"):
        yield "its pods may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"{key} takes it out of its isolation"
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            yield f"volume {volume['name']} is a folder of the node"
    for container in pod["containers"]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            yield "it may gain privileges"
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield "it keeps capabilities"
        if own.get("readOnlyRootFilesystem") is not True:
            yield "its root file system can be written to"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield "no memory limit"


def _containers(each: Manifest, manifests: Manifests, routes: Collection[str]) -> Iterator[str]:
    pod = each["spec"]["template"]["spec"]
    accounts = manifests.names("ServiceAccount")
    if pod.get("serviceAccountName") not in accounts:
        yield f"service account {pod.get('serviceAccountName')} is not defined"
    if pod.get("enableServiceLinks") is not False:
        yield "the Service `retryscope` would set RETRYSCOPE_PORT in it to an URL"
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
    for container in pod["containers"]:
        if not _EXACT_TAG.fullmatch(container["image"]):
            yield f"the tag of {container['image']} is not exact"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"volume {mount['name']} is not defined"
        for source in container.get("envFrom", []):
            if source["configMapRef"]["name"] not in manifests.names("ConfigMap"):
                yield f"config map {source['configMapRef']['name']} is not defined"
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            yield from _probe(probe, container.get(probe, {}), ports, routes)
        if container["image"].startswith("retryscope:"):
            yield from _our_container(pod, container)


def _probe(name: str, probe: Manifest, ports: set[str], routes: Collection[str]) -> Iterator[str]:
    for how in ("httpGet", "tcpSocket"):
        if how in probe and probe[how]["port"] not in ports:
            yield f"{name} asks port {probe[how]['port']}, which is not defined"
    if "httpGet" in probe and probe["httpGet"]["path"] not in routes:
        yield f"{name} asks {probe['httpGet']['path']}, which is no route"


def _our_container(pod: Manifest, container: Manifest) -> Iterator[str]:
    for name, path in (("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")):
        if container.get(name, {}).get("httpGet", {}).get("path") != path:
            yield f"{name} must ask {path}"
    fields = Settings.model_fields
    (command, *_) = container["args"]
    ports = {"worker": fields["worker_port"].default, "upstream": UPSTREAM_PORT}
    port = ports.get(command, fields["port"].default)
    if [each["containerPort"] for each in container["ports"]] != [port]:
        yield f"the process listens on {port}"
    mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
    secrets = {each["name"]: each["secret"] for each in pod.get("volumes", []) if "secret" in each}
    if mounts.get(str(SECRETS_DIR)) not in secrets:
        yield f"no secret is mounted at {SECRETS_DIR}"
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    shutdown = float(fields["drain_seconds"].default) + float(fields["flush_seconds"].default)
    if pod.get("terminationGracePeriodSeconds", 30) <= before + shutdown + 5:
        yield "terminationGracePeriodSeconds is over before it has drained"


def _autoscaling(each: Manifest, manifests: Manifests) -> Iterator[str]:
    target = each["spec"]["scaleTargetRef"]
    found = [
        workload
        for workload in manifests.kind(target["kind"])
        if workload["metadata"]["name"] == target["name"]
    ]
    if not found:
        yield f"{target['kind']} {target['name']} is not defined"
    for workload in found:
        if "replicas" in workload["spec"]:
            yield "its target sets replicas too: every rollout would undo the scaling"
    for metric in each["spec"]["metrics"]:
        if metric["pods"]["metric"]["name"] not in METRICS:
            yield f"{metric['pods']['metric']['name']} is no metric of the service"


def _monitoring(each: Manifest, manifests: Manifests, routes: Collection[str]) -> Iterator[str]:
    spec = each["spec"]
    wanted = spec["selector"]["matchLabels"]
    if each["kind"] == "ServiceMonitor":
        targets = [
            service
            for service in manifests.kind("Service")
            if wanted.items() <= service["metadata"].get("labels", {}).items()
        ]
        ports = {port["name"] for service in targets for port in service["spec"]["ports"]}
    else:
        targets = manifests.pods(wanted)
        ports = {port["name"] for pod in targets for port in _ports(pod)}
    if len(targets) != 1:
        yield f"it selects {len(targets)} targets"
    of_upstream = wanted.get("app.kubernetes.io/component") == "upstream"
    job = "upstream" if of_upstream else "retryscope"
    for target in targets:
        if target["metadata"]["labels"].get(spec.get("jobLabel")) != job:
            yield f"the job of its targets is not {job}"
    for endpoint in spec.get("endpoints", []) + spec.get("podMetricsEndpoints", []):
        if endpoint["port"] not in ports:
            yield f"port {endpoint['port']} is no port of its targets"
        if endpoint["path"] not in routes:
            yield f"{endpoint['path']} is no route"
        credentials = endpoint.get("authorization", {}).get("credentials", {})
        right = credentials.get("key") == TOKEN_KEY and credentials.get("name") in _token_secrets(manifests)
        if not (right or of_upstream):
            yield "it does not send the token that the service asks for"


def _token_secrets(manifests: Manifests) -> set[str]:
    return {
        volume["secret"]["secretName"]
        for workload in manifests.workloads
        for volume in workload["spec"]["template"]["spec"].get("volumes", [])
        if "secret" in volume
    }
