"""The settings: their defaults, their bounds, and where they come from."""

import pytest
from pydantic import ValidationError

from service.settings import Settings

ANY = "0.0.0.0"  # noqa: S104 - not really listened on


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETRYSCOPE_{name.upper()}", raising=False)


def test_the_defaults() -> None:
    """Only this machine can reach it."""
    assert Settings().model_dump() == {
        "host": "127.0.0.1",
        "port": 8080,
        "allow_remote": False,
        "log_level": "INFO",
        "max_body_bytes": 65_536,
        "max_runs_in_flight": 200,
        "drain_seconds": 10.0,
        "flush_seconds": 5.0,
        "max_traces": 500,
        "max_spans": 200_000,
    }
    assert Settings().is_local


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("HOST", "::1", "::1"),
        ("PORT", "0", 0),
        ("ALLOW_REMOTE", "true", True),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("MAX_BODY_BYTES", "1", 1),
        ("MAX_RUNS_IN_FLIGHT", "1", 1),
        ("DRAIN_SECONDS", "0", 0.0),
        ("FLUSH_SECONDS", "0.5", 0.5),
        ("MAX_TRACES", "1", 1),
        ("MAX_SPANS", "1", 1),
    ],
)
def test_a_variable_sets_its_field(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    """Named RETRYSCOPE_ and the field."""
    monkeypatch.setenv(f"RETRYSCOPE_{name}", text)
    assert getattr(Settings(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("PORT", ""),
        ("ALLOW_REMOTE", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
        ("MAX_BODY_BYTES", "0"),
        ("MAX_BODY_BYTES", "16777217"),
        ("MAX_RUNS_IN_FLIGHT", "0"),
        ("MAX_RUNS_IN_FLIGHT", "100001"),
        ("DRAIN_SECONDS", "-0.1"),
        ("DRAIN_SECONDS", "3601"),
        ("DRAIN_SECONDS", "nan"),
        ("DRAIN_SECONDS", "inf"),
        ("FLUSH_SECONDS", "-1"),
        ("FLUSH_SECONDS", "301"),
        ("FLUSH_SECONDS", "nan"),
        ("MAX_TRACES", "0"),
        ("MAX_TRACES", "100001"),
        ("MAX_SPANS", "0"),
        ("MAX_SPANS", "10000001"),
    ],
)
def test_a_value_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """Before anything starts."""
    monkeypatch.setenv(f"RETRYSCOPE_{name}", text)
    with pytest.raises(ValidationError) as refused:
        Settings()
    (error,) = refused.value.errors()
    assert error["loc"] == (name.lower(),)
    assert error["input"] == text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_what_only_this_machine_can_reach(host: str) -> None:
    """All of 127.0.0.0/8, and the name that stands for it."""
    assert Settings(host=host).is_local


@pytest.mark.parametrize(
    "host", [ANY, "::", "", "192.168.0.1", "example.org", "localhost.example.org", "127.1", "0"]
)
def test_what_others_may_reach(host: str) -> None:
    """An empty host is every address; a name may be any."""
    assert not Settings(host=host).is_local
