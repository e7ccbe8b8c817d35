"""The compose file as Docker Compose reads it, and what is wrong with it."""

import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import yaml
from opentelemetry.sdk import environment_variables as otel_sdk

from retryscope_service.settings import Settings
from tests.support.durations import seconds

Compose = dict[str, Any]

SECRET_FILE = "/run/secrets/retryscope_api_token"  # noqa: S105 - where it is, not what it is

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_EXACT_TAG = re.compile(r"v?\d+\.\d+\.\d+")
_EXACT_TAG_OF = {"postgres": re.compile(r"\d+\.\d+")}
"""Of those whose releases have two numbers."""
_WITHOUT_HEALTH_CHECK = {"collector", "load", "secrets"}
"""Nothing in the collector's image could ask; the traffic and what makes the secrets serve nothing."""
_SECRETS = f"secrets:{Path(SECRET_FILE).parent}"
_PRIVATE = {
    "engine": ("redis", {"retryscope", "worker"}),
    "database": ("database", {"retryscope", "upstream", "worker"}),
}
"""Networks that lead nowhere: who serves there, and who may reach that."""


def read_env(path: Path) -> dict[str, str]:
    """The variables of a `.env` file."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def read_compose(path: Path) -> Compose:
    """The compose file, its variables not yet replaced."""
    document: Compose = yaml.safe_load(path.read_text())
    return document


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """The same with every variable replaced; an unknown one raises KeyError."""
    if isinstance(value, dict):
        return {key: interpolated(below, variables) for key, below in value.items()}
    if isinstance(value, list):
        return [interpolated(below, variables) for below in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: variables[found[1]], value)
    return value


def findings(compose: Compose, variables: Mapping[str, str], root: Path) -> Iterator[str]:
    """What is wrong with the file, service by service."""
    try:
        ready = interpolated(compose, variables)
    except KeyError as error:
        yield f"{error.args[0]} is not in .env"
        return
    for name, service in compose["services"].items():
        for finding in _image(service, ready["services"][name]):
            yield f"{name}: {finding}"
    for name, service in ready["services"].items():
        for check in (_isolation, _limits, _ports, _environment, _health):
            for finding in check(name, service):
                yield f"{name}: {finding}"
        parts = (*_mounts(service, ready, root), *_waits(service, ready), *_secrets(name, service))
        for finding in parts:
            yield f"{name}: {finding}"
    for network, (server, users) in _PRIVATE.items():
        yield from _private_network(ready, network, server, users)
    yield from _special(ready["services"])


def _image(written: Mapping[str, Any], service: Mapping[str, Any]) -> Iterator[str]:
    if not _VARIABLE.search(written.get("image", "")):
        yield "its image is not pinned in .env"
        return
    image, _, tag = service["image"].rpartition(":")
    if not _EXACT_TAG_OF.get(image, _EXACT_TAG).fullmatch(tag):
        yield f"the tag {tag!r} of its image is not exact"


def _isolation(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    user = str(service.get("user", ""))
    if not re.fullmatch(r"[1-9]\d*:\d+", user):
        yield f"user {user!r} is not a number that is not root's"
    if service.get("read_only") is not True:
        yield "its root file system can be written to"
    if service.get("cap_drop") != ["ALL"] or "cap_add" in service:
        yield "it keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain privileges"
    for key in ("privileged", "network_mode", "pid", "ipc", "userns_mode", "devices"):
        if key in service:
            yield f"{key} takes it out of its isolation"


def _limits(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if not {"memory", "pids"} <= limits.keys():
        yield "no limit of its memory and its processes"
    if service.get("logging", {}).get("options", {}).keys() != {"max-size", "max-file"}:
        yield "its log grows without end"


def _ports(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    for port in service.get("ports", []):
        if not (isinstance(port, str) and re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)):
            yield f"port {port} is not published on 127.0.0.1 alone"


def _environment(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    settings = {f"RETRYSCOPE_{field.upper()}" for field in Settings.model_fields}
    for variable in service.get("environment", {}):
        if variable == "RETRYSCOPE_API_TOKEN":
            yield "the token belongs in a file: everybody who may inspect containers reads the environment"
        elif variable.startswith("RETRYSCOPE_") and variable not in settings:
            yield f"{variable} is no setting of the service"
        elif variable.startswith("OTEL_") and not hasattr(otel_sdk, variable):
            yield f"{variable} is no variable of OpenTelemetry"


def _health(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    check = service.get("healthcheck", {})
    checked = "test" in check or (name == "retryscope" and not check)
    if checked == (name in _WITHOUT_HEALTH_CHECK):
        yield "a health check where nothing can ask" if checked else "no health check"
    if checked and "test" in check and check["test"][0] != "CMD":
        yield "its health check needs a shell"


def _mounts(service: Mapping[str, Any], compose: Compose, root: Path) -> Iterator[str]:
    for mount in service.get("volumes", []):
        source, _, rest = mount.partition(":")
        if "docker.sock" in source:
            yield "it has the Docker socket, and with it the machine"
        elif source.startswith((".", "/")):
            if not (root / source).exists():
                yield f"{source} does not exist"
            if not rest.endswith(":ro"):
                yield f"{source} can be written to"
        elif source not in compose["volumes"]:
            yield f"volume {source} is not declared"


def _secrets(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    """Whoever reads the secrets waits until they are made, and only who makes them can write them."""
    if service.get("secrets"):
        yield "a secret that is a file of the repository is known to everybody"
    mounts = [mount for mount in service.get("volumes", []) if mount.startswith("secrets:")]
    if name == "secrets":
        if mounts != [_SECRETS]:
            yield "it has to make the secrets where the others read them"
        if service.get("restart") != "no":
            yield "it ends, and would be started again for ever"
        return
    if any(mount != f"{_SECRETS}:ro" for mount in mounts):
        yield "it can write the secrets"
    made = service.get("depends_on", {}).get("secrets", {}).get("condition")
    if mounts and made != "service_completed_successfully":
        yield "it does not wait until the secrets are made"


def _private_network(compose: Compose, network: str, server: str, users: Set[str]) -> Iterator[str]:
    """Who can write to Redis can run code in the workers; who can write to the database, take goods."""
    if compose["networks"].get(network, {}).get("internal") is not True:
        yield f"network {network} leads out"
    for name, service in compose["services"].items():
        networks = set(service.get("networks", ["default"]))
        if name == server and networks != {network}:
            yield f"{server}: others than {', '.join(sorted(users))} reach it"
        elif name != server and (network in networks) != (name in users):
            yield f"{name}: it {'reaches' if network in networks else 'does not reach'} {server}"
        for each in networks - compose["networks"].keys():
            yield f"{name}: network {each} is not declared"


def _waits(service: Mapping[str, Any], compose: Compose) -> Iterator[str]:
    for name, how in service.get("depends_on", {}).items():
        other = compose["services"].get(name)
        if other is None:
            yield f"it waits for {name}, which is not defined"
            continue
        if how["condition"] == "service_healthy" and name in _WITHOUT_HEALTH_CHECK:
            yield f"it waits until {name} is healthy, which has no health check"
        elsewhere = set(other.get("profiles", [])) - set(service.get("profiles", []))
        if elsewhere and how.get("required", True):
            yield f"it needs {name}, which is there with a profile only"


def _special(services: Mapping[str, Any]) -> Iterator[str]:
    ours = [service for service in services.values() if service["image"].startswith("retryscope:")]
    for service in ours:
        if not any(mount.startswith(_SECRETS) for mount in service.get("volumes", [])):
            yield "the service, a worker and the traffic need the API token"
    needed = {
        "prometheus": ["--enable-feature=exemplar-storage", "--web.enable-remote-write-receiver"],
        "alertmanager": ["--cluster.listen-address="],
        "redis": ["always", f"{Path(SECRET_FILE).parent}/redis.conf"],
    }
    for name, words in needed.items():
        for word in set(words) - set(services[name]["command"]):
            yield f"{name}: {word} is missing"
    if services["grafana"]["environment"].get("GF_AUTH_ANONYMOUS_ORG_ROLE") != "Viewer":
        yield "grafana: whoever reaches the port must be a Viewer"
    fields = Settings.model_fields
    shutdown = float(fields["drain_seconds"].default) + float(fields["flush_seconds"].default)
    for name in ("retryscope", "upstream", "worker"):
        grace = seconds(services[name].get("stop_grace_period", "10s"))
        if grace <= shutdown + 5:
            yield f"{name}: stop_grace_period is over before it has drained"
