"""OpenTelemetry's variables: whatever they hold is used as it was checked, or refused with its name."""

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from retryscope._recording.environment import (
    check_resource,
    is_disabled,
    kept_successes,
    otlp_options,
    otlp_variable,
    positive_int,
    sampler,
    variable,
)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SET = {ENDPOINT: "http://127.0.0.1:4318"}
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.text(
    string.printable, max_size=30
)


def queue_size() -> int:
    return positive_int("OTEL_BSP_MAX_QUEUE_SIZE", 1)


def refusal_of(read: Callable[[], object]) -> ValueError | None:
    try:
        read()
    except ValueError as refused:
        return refused
    return None


def with_variables(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_an_empty_or_blank_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the specification says."""
    with_variables(monkeypatch, OTEL_SERVICE_NAME="  ")
    assert variable("OTEL_SERVICE_NAME", "shop") == "shop"
    assert not is_disabled()
    assert positive_int("OTEL_BSP_SCHEDULE_DELAY", 7) == 7
    assert otlp_options() is None


def test_the_variable_for_traces_goes_before_that_for_all_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    with_variables(monkeypatch, OTEL_EXPORTER_OTLP_TIMEOUT="3", **SET)
    assert otlp_variable("TIMEOUT") == ("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    with_variables(monkeypatch, OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="4")
    assert otlp_variable("TIMEOUT") == ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "4")
    options = otlp_options()
    assert options is not None
    assert options["timeout"] == 4.0


def test_what_is_set_is_what_the_exporter_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    with_variables(
        monkeypatch,
        OTEL_EXPORTER_OTLP_HEADERS="X-Key=a%20b, other=2,",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_TIMEOUT="2.5",
        **SET,
    )
    assert otlp_options() == {
        "endpoint": "http://127.0.0.1:4318/v1/traces",
        "headers": {"x-key": "a b", "other": "2"},
        "timeout": 2.5,
        "compression": Compression.Gzip,
        "certificate_file": None,
        "client_key_file": None,
        "client_certificate_file": None,
    }


def test_a_ratio_is_the_sampler_s(monkeypatch: pytest.MonkeyPatch) -> None:
    with_variables(monkeypatch, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.25")
    chosen = sampler()
    assert isinstance(chosen, TraceIdRatioBased)
    assert chosen.rate == 0.25


@pytest.mark.parametrize("arg", ["2", "-0.1", "nan", "half"])
def test_a_ratio_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, arg: str) -> None:
    with_variables(monkeypatch, OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG=arg)
    with pytest.raises(ValueError, match="OTEL_TRACES_SAMPLER_ARG must be a number"):
        sampler()


@pytest.mark.parametrize("pairs", ["secret", "bad name=secret", "a=secret;b", "a=secret%C3%A9"])
def test_headers_that_can_not_be_sent_are_refused_without_their_values(
    monkeypatch: pytest.MonkeyPatch, pairs: str
) -> None:
    with_variables(monkeypatch, OTEL_EXPORTER_OTLP_HEADERS=pairs, **SET)
    with pytest.raises(ValueError, match=r"^OTEL_EXPORTER_OTLP_HEADERS ") as refused:
        otlp_options()
    assert "secret" not in str(refused.value)


def test_a_password_in_an_endpoint_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with_variables(monkeypatch, **{ENDPOINT: "http://user:secret@c:0"})
    with pytest.raises(ValueError, match=f"^{ENDPOINT} must be a URL") as refused:
        otlp_options()
    assert "secret" not in str(refused.value)


def test_a_folder_of_certificates_is_taken_a_file_that_holds_none_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_variables(monkeypatch, OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path), **SET)
    options = otlp_options()
    assert options is not None
    assert options["certificate_file"] == str(tmp_path)
    (tmp_path / "empty.pem").write_text("none")
    with_variables(monkeypatch, OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path / "empty.pem"))
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_CERTIFICATE must be a file"):
        otlp_options()


@pytest.mark.parametrize(
    "name",
    [
        ENDPOINT,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_TRACES_EXPORTER",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
        "OTEL_SDK_DISABLED",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "RETRYSCOPE_KEEP_SUCCESSES",
    ],
)
@given(value=TEXTS)
def test_whatever_a_variable_holds_it_is_taken_or_refused_by_its_name(name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        with_variables(monkeypatch, **SET)
        with_variables(monkeypatch, **{name: value})
        refusals = [
            str(refused)
            for read in (check_resource, is_disabled, sampler, otlp_options, queue_size, keep)
            if (refused := refusal_of(read)) is not None
        ]
    assert [text for text in refusals if not text.startswith(name)] == []


def keep() -> float:
    return kept_successes(None)


def test_the_share_of_successes_is_what_is_given_or_the_variable_s_or_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The argument is nearer to the code that knows."""
    monkeypatch.delenv("RETRYSCOPE_KEEP_SUCCESSES", raising=False)
    assert kept_successes(None) == 1
    monkeypatch.setenv("RETRYSCOPE_KEEP_SUCCESSES", "0.25")
    assert kept_successes(None) == 0.25
    assert kept_successes(0) == 0
    assert kept_successes(0.5) == 0.5


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_share_is_from_0_to_1(ratio: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says it otherwise is told where it was said."""
    with pytest.raises(ValueError, match=f"^keep_successes must be a number from 0 to 1, got .*{ratio}"):
        kept_successes(ratio)
    monkeypatch.setenv("RETRYSCOPE_KEEP_SUCCESSES", str(ratio))
    with pytest.raises(ValueError, match=r"^RETRYSCOPE_KEEP_SUCCESSES must be a number"):
        kept_successes(None)


@pytest.mark.parametrize("ratio", ["0.1", True])
def test_a_share_is_a_number(ratio: Any) -> None:
    with pytest.raises(TypeError, match="keep_successes must be a number from 0 to 1, got "):
        kept_successes(ratio)
