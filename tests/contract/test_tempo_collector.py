"""Tempo's and the collector's configuration: keys that these versions know, and traces kept as promised."""

import re
from typing import Any, get_args

import pytest
import yaml

from retryscope import semconv
from retryscope.outcome import Outcome
from tests.conftest import ROOT
from tests.support import collector, tempo
from tests.support.faults import REMOVED, Fault, assert_found, each
from tests.support.names import ATTRIBUTES

TEMPO = ROOT / "deploy" / "tempo" / "tempo.yaml"
COLLECTOR = ROOT / "deploy" / "collector" / "config.yaml"

GENERATOR = ("overrides", "defaults", "metrics_generator")
OTLP = ("distributor", "receivers", "otlp", "protocols")
POLICIES = ("processors", "tail_sampling", "policies")


@pytest.fixture
def tempo_config() -> Any:
    return yaml.safe_load(TEMPO.read_text())


@pytest.fixture
def collector_config() -> Any:
    return yaml.safe_load(COLLECTOR.read_text())


@each(
    [
        Fault(("search_enabled",), True, "search_enabled: no key of Tempo 3"),
        Fault(("ingester",), {"max_block_duration": "5m"}, "ingester: removed in Tempo 3"),
        Fault(("compactor",), {}, "compactor: removed in Tempo 3"),
        Fault(("querier",), {"query_live_store": True}, "querier.query_live_store: removed"),
        Fault(("metrics_generator", "traces_storage"), {"path": "x"}, "traces_storage: removed in Tempo 3"),
        Fault(("overrides", "metrics_generator_processors"), [], "no key of Tempo 3"),
        Fault((*GENERATOR, "trace_id_label"), "trace_id", "trace_id_label: no key of Tempo 3"),
        Fault((*GENERATOR, "processors"), ["local-blocks"], "local-blocks is no processor"),
        Fault((*OTLP, "grpc", "address"), "x", "grpc.address: no key of Tempo 3"),
        Fault((*OTLP, "grpc"), None, "grpc listens on localhost"),
        Fault(("server",), 3200, "server (a value where keys belong)"),
        Fault(("storage", "trace", "wal", "path"), "/tmp/wal", "not in the volume"),  # noqa: S108
    ]
)
def test_a_fault_in_tempos_configuration_is_found(fault: Fault, tempo_config: Any) -> None:
    assert_found(fault, tempo_config, tempo.findings)


@each(
    [
        Fault(("exporters", "otlp"), {"endpoint": "tempo:4317"}, "renamed to otlp_grpc"),
        Fault(("exporters", "jaeger"), {"endpoint": "x"}, "exporters.jaeger: no component"),
        Fault(("processors", "batch"), {}, "processors.batch: no component"),
        Fault(("exporters", "otlp_grpc", "endpoint"), "http://tempo:4317", "has no scheme"),
        Fault(("exporters", "otlp_grpc", "batcher"), {}, "otlp_grpc.batcher: no key"),
        Fault(("exporters", "otlp_grpc", "sending_queue", "batch"), REMOVED, "span by span"),
        Fault(("processors", "memory_limiter", "limit_mb"), 1, "memory_limiter.limit_mb: no key"),
        Fault((*POLICIES, 0, "status_code", "codes"), [], "codes: no key"),
        Fault((*POLICIES, 0, "type"), "latency", "type latency without its settings"),
        Fault((*POLICIES, 0, "probabilistic"), {"sampling_percentage": 1}, "is ignored"),
        Fault(("receivers", "otlp", "protocols", "http"), None, "http listens on localhost"),
        Fault(
            ("service", "pipelines", "traces", "exporters"),
            ["otlp_http"],
            "otlp_http of exporters is not def",
        ),
        Fault(
            ("service", "pipelines", "traces", "processors"), ["tail_sampling"], "memory_limiter must come"
        ),
        Fault(("service", "pipelines", "metrics"), {"receivers": ["otlp"]}, "only traces"),
        Fault(("service", "extensions"), [], "extensions.health_check: defined and not used"),
        Fault(("service", "telemetry", "metrics", "address"), ":8888", "no key of the collector"),
        Fault(("service", "telemetry", "metrics", "readers"), [], "can't reach"),
        Fault(("connectors",), {"spanmetrics": {}}, "connectors: no section"),
    ]
)
def test_a_fault_in_the_collectors_configuration_is_found(fault: Fault, collector_config: Any) -> None:
    assert_found(fault, collector_config, collector.findings)


def test_every_trace_with_another_outcome_than_success_is_kept(collector_config: Any) -> None:
    """And a share of the others, which the stack's one file of settings sets."""
    policies = {
        policy["type"]: policy for policy in collector_config["processors"]["tail_sampling"]["policies"]
    }
    by_outcome = policies["string_attribute"]["string_attribute"]
    assert by_outcome["key"] == semconv.OUTCOME
    assert set(by_outcome["values"]) == set(get_args(Outcome)) - {"success"}
    assert policies["status_code"]["status_code"]["status_codes"] == ["ERROR"]
    share = policies["probabilistic"]["probabilistic"]["sampling_percentage"]
    assert share == "${env:TRACES_KEPT_PERCENT}"
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert compose["services"]["collector"]["environment"]["TRACES_KEPT_PERCENT"] == "${TRACES_KEPT_PERCENT}"
    (percent,) = re.findall(r"^TRACES_KEPT_PERCENT=(\d+)$", (ROOT / ".env").read_text(), re.MULTILINE)
    assert 0 < int(percent) <= 100


def test_every_attribute_that_the_collector_looks_at_is_one_that_the_library_sets(
    collector_config: Any,
) -> None:
    keys = [
        settings["key"]
        for policy in collector_config["processors"]["tail_sampling"]["policies"]
        for settings in policy.values()
        if isinstance(settings, dict) and "key" in settings
    ]
    assert keys
    assert set(keys) <= set(ATTRIBUTES)


def test_tempo_labels_exemplars_as_the_service_does(tempo_config: Any) -> None:
    """One name, so that one link in Grafana leads from either to the trace."""
    assert tempo_config["overrides"]["defaults"]["metrics_generator"]["trace_id_label_name"] == "trace_id"
