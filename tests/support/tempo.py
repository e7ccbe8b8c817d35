"""What Tempo 3.0 accepts in its configuration: it exits on a key that it does not know.

The keys are those of the configuration structures of release 3.0.3, at the top in full, below that as far as
a small installation needs them: a new key has to be looked up there before it is added here.
"""

from collections.abc import Iterator
from typing import Any

from tests.support.yaml_keys import leaves, unknown_keys

_ENDPOINT = leaves("endpoint")

KEYS: dict[str, Any] = {
    **leaves(
        "target",
        "multitenancy_enabled",
        "shutdown_delay",
        "stream_over_http_enabled",
        "http_api_prefix",
        "enable_go_runtime_metrics",
        "span_profiling",
        "memory",
        "internal_server",
        "live_store_client",
        "querier",
        "ingest",
        "block_builder",
        "memberlist",
        "cache",
        "backend_scheduler",
        "backend_scheduler_client",
        "backend_worker",
        "live_store",
    ),
    "server": leaves(
        "http_listen_address",
        "http_listen_port",
        "grpc_listen_address",
        "grpc_listen_port",
        "log_level",
        "log_format",
    ),
    "distributor": {
        "receivers": {"otlp": {"protocols": {"grpc": _ENDPOINT, "http": _ENDPOINT}}},
        "log_received_spans": leaves("enabled", "include_all_attributes", "filter_by_status_error"),
        "log_discarded_spans": leaves("enabled", "include_all_attributes", "filter_by_status_error"),
        **leaves("max_attribute_bytes"),
    },
    "query_frontend": leaves("max_retries", "search", "trace_by_id", "metrics", "query_end_cutoff"),
    "metrics_generator": {
        "processor": leaves("service_graphs", "span_metrics", "host_info"),
        "registry": None,
        "storage": {
            **leaves("path", "wal", "remote_write_flush_deadline", "remote_write_add_org_id_header"),
            "remote_write": leaves(
                "url", "name", "send_exemplars", "send_native_histograms", "headers", "remote_timeout"
            ),
        },
        **leaves("metrics_ingestion_time_range_slack"),
    },
    "storage": {
        "trace": {
            **leaves("pool", "block", "search", "blocklist_poll", "backend", "gcs", "s3", "azure", "cache"),
            "wal": leaves("path", "ingestion_time_range_slack"),
            "local": leaves("path"),
        }
    },
    "overrides": {
        "defaults": {
            **leaves("ingestion", "read", "forwarders", "global", "storage", "cost_attribution"),
            "compaction": leaves("block_retention", "compaction_window", "compaction_disabled"),
            "metrics_generator": leaves(
                "ring_size",
                "processors",
                "max_active_series",
                "collection_interval",
                "disable_collection",
                "generate_native_histograms",
                "trace_id_label_name",
                "remote_write_headers",
                "forwarder",
                "processor",
                "ingestion_time_range_slack",
            ),
        },
        **leaves("per_tenant_override_config", "per_tenant_override_period", "user_configurable_overrides"),
    },
    "usage_report": leaves("reporting_enabled", "backoff"),
}

REMOVED = {
    "ingester": "live_store has its place",
    "ingester_client": "live_store_client has its place",
    "compactor": "backend_scheduler and backend_worker have its place",
    "metrics_generator_client": "kept for one release only",
    "metrics_generator.traces_storage": "the processor local-blocks is gone",
    "querier.query_live_store": "it always does",
}
"""Keys of Tempo 2 that are refused, or about to be."""


def findings(config: Any) -> Iterator[str]:
    """What Tempo 3 would refuse, or do otherwise than this stack needs it."""
    for key in unknown_keys(config, KEYS):
        yield f"{key}: {'removed in Tempo 3, ' + REMOVED[key] if key in REMOVED else 'no key of Tempo 3'}"
    if "query_live_store" in (config.get("querier") or {}):
        yield f"querier.query_live_store: removed in Tempo 3, {REMOVED['querier.query_live_store']}"
    processors = config["overrides"]["defaults"]["metrics_generator"]["processors"]
    for name in processors:
        if name not in {"span-metrics", "service-graphs", "host-info"}:
            yield f"overrides: {name} is no processor of Tempo 3"
    for protocol, settings in config["distributor"]["receivers"]["otlp"]["protocols"].items():
        if not str((settings or {}).get("endpoint", "")).startswith("0.0.0.0:"):
            yield f"distributor: {protocol} listens on localhost, out of the collector's reach"
    trace = config["storage"]["trace"]
    paths = (trace["wal"]["path"], trace["local"]["path"], config["metrics_generator"]["storage"]["path"])
    for path in paths:
        if not path.startswith("/var/tempo/"):
            yield f"storage: {path} is not in the volume"
