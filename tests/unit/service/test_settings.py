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
        "api_token": None,
        "engine_url": "memory://",
        "worker_concurrency": 100,
        "worker_port": 8081,
        "max_active_runs": 20_000,
        "max_finished_runs": 20_000,
        "run_retention_seconds": 86_400,
        "redelivery_seconds": 15.0,
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
        ("ENGINE_URL", "redis://:secret@host:1/2", "redis://:secret@host:1/2"),
        ("ENGINE_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("WORKER_CONCURRENCY", "1", 1),
        ("WORKER_PORT", "0", 0),
        ("MAX_ACTIVE_RUNS", "1", 1),
        ("MAX_FINISHED_RUNS", "1", 1),
        ("RUN_RETENTION_SECONDS", "1", 1.0),
        ("REDELIVERY_SECONDS", "1.5", 1.5),
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
        ("ENGINE_URL", "http://host"),
        ("ENGINE_URL", ""),
        ("WORKER_CONCURRENCY", "0"),
        ("WORKER_CONCURRENCY", "10001"),
        ("WORKER_PORT", "65536"),
        ("MAX_ACTIVE_RUNS", "0"),
        ("MAX_FINISHED_RUNS", "0"),
        ("RUN_RETENTION_SECONDS", "0.5"),
        ("RUN_RETENTION_SECONDS", "inf"),
        ("REDELIVERY_SECONDS", "0.5"),
        ("REDELIVERY_SECONDS", "nan"),
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


def test_a_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who asks for the secret gets it; a short one is refused."""
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", "0123456789abcdef")
    settings = Settings()
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == "0123456789abcdef"
    for text in (repr(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "0123456789" not in text
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", "0123456789abcde")
    with pytest.raises(ValidationError, match="at least 16"):
        Settings()
