"""The exporter to a collector; with its variables: tests/unit/retryscope/test_setup.py."""

import logging
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression

from retryscope._recording.collector import EXPORTER, exporter_to, log_each_message_again
from retryscope._recording.encoded_export import FastExportProcessor
from retryscope._recording.export import ExportProcessor

OPTIONS: dict[str, Any] = {
    "endpoint": "http://127.0.0.1:1/v1/traces",
    "headers": {},
    "timeout": 1.0,
    "compression": Compression.NoCompression,
    "certificate_file": None,
    "client_key_file": None,
    "client_certificate_file": None,
}


@pytest.mark.parametrize(("fast", "kind"), [(True, FastExportProcessor), (False, ExportProcessor)])
def test_each_recorder_has_its_exporter(fast: bool, kind: type) -> None:
    """The SDK's logs each of its messages once, as long as it is used."""
    log = logging.getLogger(EXPORTER)
    before = list(log.filters)
    exporter = exporter_to(OPTIONS, lambda reason, spans: None, fast)
    try:
        assert type(exporter) is kind
        assert len(log.filters) - len(before) == (not fast)
    finally:
        log_each_message_again()
        exporter.close(1)
    assert log.filters == before
