"""What the collector 0.159 accepts: components, their keys, and pipelines of components that are defined."""

from collections.abc import Iterator
from typing import Any

from tests.support.yaml_keys import leaves, unknown_keys

_TLS = leaves("insecure", "insecure_skip_verify", "ca_file", "cert_file", "key_file", "server_name_override")
_SERVER = {**leaves("endpoint", "transport", "max_recv_msg_size_mib", "include_metadata"), "tls": _TLS}
_QUEUE = {
    **leaves(
        "enabled", "num_consumers", "wait_for_result", "block_on_overflow", "sizer", "queue_size", "storage"
    ),
    "batch": leaves("flush_timeout", "min_size", "max_size", "sizer", "partition"),
}
_RETRY = leaves(
    "enabled", "initial_interval", "max_interval", "max_elapsed_time", "multiplier", "randomization_factor"
)
_SENDER = {
    **leaves("endpoint", "timeout", "compression", "headers", "auth"),
    "tls": _TLS,
    "sending_queue": _QUEUE,
    "retry_on_failure": _RETRY,
}
_POLICY = {
    **leaves("name", "type", "and", "composite", "drop", "not"),
    "status_code": leaves("status_codes"),
    "string_attribute": leaves("key", "values", "enabled_regex_matching", "cache_max_size", "invert_match"),
    "probabilistic": leaves("sampling_percentage", "hash_salt"),
    "latency": leaves("threshold_ms", "upper_threshold_ms"),
    "numeric_attribute": leaves("key", "min_value", "max_value", "invert_match"),
}

COMPONENTS: dict[str, dict[str, Any]] = {
    "receivers": {"otlp": {"protocols": {"grpc": _SERVER, "http": _SERVER}}},
    "processors": {
        "memory_limiter": leaves(
            "check_interval", "limit_mib", "spike_limit_mib", "limit_percentage", "spike_limit_percentage"
        ),
        "tail_sampling": {
            **leaves("decision_wait", "num_traces", "expected_new_traces_per_sec", "block_on_overflow"),
            "decision_cache": leaves("sampled_cache_size", "non_sampled_cache_size"),
            "policies": _POLICY,
        },
    },
    "exporters": {
        "otlp_grpc": {**_SENDER, **leaves("keepalive", "balancer_name")},
        "otlp_http": {**_SENDER, **leaves("traces_endpoint", "encoding")},
        "debug": leaves("verbosity", "sampling_initial", "sampling_thereafter"),
    },
    "extensions": {"health_check": leaves("endpoint", "path"), "zpages": leaves("endpoint")},
}
"""The components that this stack may use, with the keys of each."""

RENAMED = {"otlp": "otlp_grpc", "otlphttp": "otlp_http"}
"""Exporters whose old name the collector still takes, with a warning."""

_READER = {"pull": {"exporter": {"prometheus": leaves("host", "port")}}}
SERVICE: dict[str, Any] = {
    "extensions": None,
    "pipelines": None,
    "telemetry": {"logs": leaves("level", "encoding"), "metrics": {"level": None, "readers": _READER}},
}


def findings(config: dict[str, Any]) -> Iterator[str]:
    """What the collector would refuse, or do otherwise than this stack needs it."""
    for section in config:
        if section not in {*COMPONENTS, "service"}:
            yield f"{section}: no section of the collector"
    for section, known in COMPONENTS.items():
        for name, settings in (config.get(section) or {}).items():
            kind = name.partition("/")[0]
            if section == "exporters" and kind in RENAMED:
                yield f"exporters.{name}: renamed to {RENAMED[kind]}"
            elif kind not in known:
                yield f"{section}.{name}: no component that this stack uses"
            else:
                for key in unknown_keys(settings, known[kind]):
                    yield f"{section}.{name}.{key}: no key of this component"
    for key in unknown_keys(config["service"], SERVICE):
        yield f"service.{key}: no key of the collector"
    yield from _pipelines(config)
    yield from _senders(config)
    yield from _sampling(config)
    yield from _own_metrics(config)


def _pipelines(config: dict[str, Any]) -> Iterator[str]:
    used: dict[str, set[str]] = {section: set() for section in COMPONENTS}
    used["extensions"] = set(config["service"].get("extensions", []))
    for pipeline, parts in config["service"]["pipelines"].items():
        if pipeline.partition("/")[0] != "traces":
            yield f"pipeline {pipeline}: only traces go through the collector"
        for section, names in parts.items():
            used.setdefault(section, set()).update(names)
        if (parts.get("processors") or [None])[0] != "memory_limiter":
            yield f"pipeline {pipeline}: memory_limiter must come first"
    for section, names in used.items():
        defined = set(config.get(section) or {})
        for name in sorted(names - defined):
            yield f"service: {name} of {section} is not defined"
        for name in sorted(defined - names):
            yield f"{section}.{name}: defined and not used"


def _senders(config: dict[str, Any]) -> Iterator[str]:
    for name, settings in (config.get("exporters") or {}).items():
        if name.startswith("otlp_grpc"):
            if "://" in settings["endpoint"]:
                yield f"exporters.{name}: a gRPC endpoint has no scheme"
            if "batch" not in (settings.get("sending_queue") or {}):
                yield f"exporters.{name}: sends span by span, without sending_queue.batch"
    for protocol, settings in config["receivers"]["otlp"]["protocols"].items():
        if not str((settings or {}).get("endpoint", "")).startswith("0.0.0.0:"):
            yield f"receivers.otlp.{protocol} listens on localhost, out of the service's reach"


def _sampling(config: dict[str, Any]) -> Iterator[str]:
    for policy in config["processors"]["tail_sampling"]["policies"]:
        kind = policy["type"]
        if kind not in policy:
            yield f"policy {policy['name']}: type {kind} without its settings"
        for other in set(policy) - {"name", "type", kind}:
            yield f"policy {policy['name']}: {other} is ignored, its type is {kind}"


def _own_metrics(config: dict[str, Any]) -> Iterator[str]:
    readers = config["service"]["telemetry"]["metrics"]["readers"]
    addresses = [reader["pull"]["exporter"]["prometheus"] for reader in readers]
    if {"host": "0.0.0.0", "port": 8888} not in addresses:  # noqa: S104 - in its container
        yield "service.telemetry: Prometheus can't reach the collector's own metrics on port 8888"
