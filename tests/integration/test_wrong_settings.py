"""Wrong settings, on the real process: each is named with its value and bound, and nothing is started."""

import re

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from retryscope._recording import environment
from retryscope_service.settings import Settings
from tests.support.process import serve_in_vain
from tests.support.texts import TEXTS, is_harmless

VARIABLES = sorted(f"RETRYSCOPE_{name.upper()}" for name in Settings.model_fields)
OTEL_VARIABLES = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_TRACES_SAMPLER",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_RESOURCE_ATTRIBUTES",
]
VALUES = TEXTS.filter(lambda text: "\0" not in text and not re.search("[\ud800-\udc7f]", text))
"""What an environment can hold."""
FEW_PROCESSES = hypothesis.settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.generate],  # a smaller example would take a process for each step
    suppress_health_check=[HealthCheck.too_slow],
)


def refused_settings(values: dict[str, str]) -> set[str]:
    """The variables that the settings refuse."""
    with pytest.MonkeyPatch.context() as patched:
        for name in VARIABLES:
            patched.delenv(name, raising=False)
        for name, value in values.items():
            patched.setenv(name, value)
        try:
            Settings()
        except ValidationError as refused:
            return {f"RETRYSCOPE_{str(each['loc'][0]).upper()}" for each in refused.errors()}
    return set()


def is_refused(values: dict[str, str]) -> bool:
    """Whether any of OpenTelemetry's variables is refused."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in values.items():
            patched.setenv(name, value)
        try:
            for read in (environment.check_resource, environment.sampler, environment.otlp_options):
                read()
            environment.positive_int("OTEL_BSP_MAX_QUEUE_SIZE", 1)
        except ValueError:
            return True
    return False


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RETRYSCOPE_PORT": "http"}, r"RETRYSCOPE_PORT.*'http'.*integer"),
        ({"RETRYSCOPE_PORT": "70000"}, r"RETRYSCOPE_PORT.*'70000'.*65535"),
        ({"RETRYSCOPE_DRAIN_SECONDS": "-1"}, r"RETRYSCOPE_DRAIN_SECONDS.*'-1'.*0"),
        ({"RETRYSCOPE_DRAIN_SECONDS": "nan"}, r"RETRYSCOPE_DRAIN_SECONDS.*'nan'.*finite"),
        ({"RETRYSCOPE_FLUSH_SECONDS": "301"}, r"RETRYSCOPE_FLUSH_SECONDS.*'301'.*300"),
        ({"RETRYSCOPE_MAX_RUNS_IN_FLIGHT": "0"}, r"RETRYSCOPE_MAX_RUNS_IN_FLIGHT.*'0'.*1"),
        ({"RETRYSCOPE_LOG_LEVEL": "LOUD"}, r"RETRYSCOPE_LOG_LEVEL.*'LOUD'.*DEBUG, INFO"),
        ({"RETRYSCOPE_HOST": "0.0.0.0"}, r"0\.0\.0\.0.*RETRYSCOPE_ALLOW_REMOTE"),  # noqa: S104
        (
            {"RETRYSCOPE_HOST": "192.0.2.1", "RETRYSCOPE_ALLOW_REMOTE": "true"},
            r"can't listen on 192\.0\.2\.1",
        ),
        (
            {"RETRYSCOPE_HOST": "no.such.host.invalid", "RETRYSCOPE_ALLOW_REMOTE": "1"},
            r"can't listen on no\.such",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_bound(variables: dict[str, str], said: str) -> None:
    ended = serve_in_vain(**{"RETRYSCOPE_PORT": "0", **variables})
    assert ended.status == 2
    assert re.match(f"retryscope: .*{said}", ended.stderr), ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_every_wrong_setting_is_named_on_a_line_of_its_own() -> None:
    ended = serve_in_vain(RETRYSCOPE_PORT="http", RETRYSCOPE_LOG_LEVEL="LOUD")
    assert ended.status == 2
    named = re.findall(r"^(?:retryscope: )?\w+ \((RETRYSCOPE_\w+)", ended.stderr, re.MULTILINE)
    assert sorted(named) == ["RETRYSCOPE_LOG_LEVEL", "RETRYSCOPE_PORT"], ended.stderr


@FEW_PROCESSES
@given(values=st.dictionaries(st.sampled_from(VARIABLES), VALUES, min_size=3, max_size=8))
def test_whatever_the_settings_hold_each_wrong_one_is_named(values: dict[str, str]) -> None:
    """And nothing that a terminal obeys is repeated from them."""
    wrong = refused_settings(values)
    assume(wrong)
    ended = serve_in_vain(**values)
    assert ended.status == 2, ended.stderr
    named = re.findall(r"^(?:retryscope: )?\w+ \((RETRYSCOPE_\w+)", ended.stderr, re.MULTILINE)
    assert set(named) == wrong, ended.stderr
    assert ended.stdout == ""
    assert [line for line in ended.stderr.splitlines() if not is_harmless(line)] == []


@FEW_PROCESSES
@given(name=st.sampled_from(OTEL_VARIABLES), value=VALUES)
def test_whatever_a_variable_of_opentelemetry_holds_a_wrong_one_is_named(name: str, value: str) -> None:
    values = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", name: value}
    assume(is_refused(values))
    ended = serve_in_vain(**{"RETRYSCOPE_PORT": "0", **values})
    assert ended.status == 2, ended.stderr
    assert ended.stderr.startswith(f"retryscope: {name} "), ended.stderr
    assert [line for line in ended.stderr.splitlines() if not is_harmless(line)] == []
    assert "Traceback" not in ended.stdout + ended.stderr
