"""The settings: their defaults, their bounds, and where they come from."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from retryscope_service import settings
from retryscope_service.settings import Settings

ANY = "0.0.0.0"  # noqa: S104 - not really listened on


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETRYSCOPE_{name.upper()}", raising=False)
    monkeypatch.setattr(settings, "SECRETS_DIR", Path("/nowhere"))


def test_the_defaults() -> None:
    """Only this machine can reach it."""
    assert Settings().model_dump() == {
        "host": "127.0.0.1",
        "port": 8080,
        "allow_remote": False,
        "allowed_hosts": (),
        "http_allowed_hosts": (),
        "root_path": "",
        "forwarded_allow_ips": (),
        "log_level": "INFO",
        "max_body_bytes": 65_536,
        "max_connections": 10_000,
        "max_runs_in_flight": 200,
        "drain_seconds": 10.0,
        "flush_seconds": 5.0,
        "max_traces": 500,
        "max_spans": 200_000,
        "api_token": None,
        "grafana_url": None,
        "prometheus_url": None,
        "engine_url": "memory://",
        "engine_password": None,
        "upstream_url": None,
        "upstream_port": 0,
        "upstream_token": None,
        "upstream_faults": "",
        "database_url": None,
        "database_password": None,
        "database_connections": 20,
        "worker_concurrency": 100,
        "worker_port": 8081,
        "max_active_runs": 20_000,
        "max_finished_runs": 20_000,
        "run_retention_seconds": 86_400,
        "redelivery_seconds": 15.0,
        "attempts": "spans",
        "keep_successes": 1.0,
        "loop": "auto",
        "explain_cancels": False,
    }
    assert Settings().is_local


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("HOST", "::1", "::1"),
        ("PORT", "0", 0),
        ("ALLOW_REMOTE", "true", True),
        ("ALLOWED_HOSTS", "A.example., *.b.example,[::1] ,,", ("a.example", "*.b.example", "::1")),
        ("ALLOWED_HOSTS", "*", ("*",)),
        ("HTTP_ALLOWED_HOSTS", "A.example, b.example:8443,,", ("a.example", "b.example:8443")),
        ("ROOT_PATH", "/retryscope/", "/retryscope"),
        ("FORWARDED_ALLOW_IPS", "127.0.0.1, 10.0.0.0/8,::1", ("127.0.0.1/32", "10.0.0.0/8", "::1/128")),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("KEEP_SUCCESSES", "0.25", 0.25),
        ("MAX_BODY_BYTES", "1", 1),
        ("MAX_RUNS_IN_FLIGHT", "1", 1),
        ("DRAIN_SECONDS", "0", 0.0),
        ("FLUSH_SECONDS", "0.5", 0.5),
        ("MAX_TRACES", "1", 1),
        ("MAX_SPANS", "1", 1),
        ("ENGINE_URL", "redis://:secret@host:1/2", "redis://:secret@host:1/2"),
        ("ENGINE_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("DATABASE_URL", "postgresql://user@host/name", "postgresql://user@host/name"),
        ("DATABASE_URL", "sqlite:////var/lib/shop.db", "sqlite:////var/lib/shop.db"),
        ("DATABASE_CONNECTIONS", "1", 1),
        ("GRAFANA_URL", "http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("PROMETHEUS_URL", "https://prometheus.internal/p", "https://prometheus.internal/p"),
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
        ("ALLOW_REMOTE", "perhaps"),
        ("HTTP_ALLOWED_HOSTS", "https://a.example"),
        ("HTTP_ALLOWED_HOSTS", "a.example, 127.1"),
        ("ALLOWED_HOSTS", "a.example:80"),
        ("ALLOWED_HOSTS", "a.example, http://b.example"),
        ("ROOT_PATH", "retryscope"),
        ("ROOT_PATH", "/a/../b"),
        ("ROOT_PATH", "//evil.example"),
        ("ROOT_PATH", '/"><script>'),
        ("FORWARDED_ALLOW_IPS", "*"),
        ("FORWARDED_ALLOW_IPS", "localhost"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1/8"),
        ("LOG_LEVEL", "LOUD"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "postgresql+psycopg://host/name"),
        ("DATABASE_CONNECTIONS", "0"),
        ("DATABASE_CONNECTIONS", "1001"),
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
        ("HOST", "127.0.0.1 "),
        ("HOST", "local host"),
        ("HOST", "http://127.0.0.1"),
        ("HOST", "host\x1b[31m"),
        ("GRAFANA_URL", "127.0.0.1:3000"),
        ("GRAFANA_URL", "http://user:word@grafana"),
        ("GRAFANA_URL", "http://grafana:99999"),
        ("GRAFANA_URL", "http://grafana/a b"),
        ("GRAFANA_URL", "http://grafana/\x07"),
        ("GRAFANA_URL", "http://"),
        ("PROMETHEUS_URL", "http://[::1"),
        ("GRAFANA_URL", "javascript:alert(1)//http://"),
        ("PROMETHEUS_URL", "file:///etc/passwd"),
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


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"api_token"}))
def test_an_empty_variable_means_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with OpenTelemetry's; a compose file often sets empty ones."""
    default = Settings()
    monkeypatch.setenv(f"RETRYSCOPE_{name.upper()}", "")
    assert Settings() == default


def test_an_empty_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets it wants the service protected."""
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", "")
    with pytest.raises(ValidationError, match="at least 16"):
        Settings()


@given(st.text(min_size=16).filter(lambda text: re.search(r"[^!-~]", text)))
def test_a_token_that_no_header_can_carry_is_refused(text: str) -> None:
    """Nobody could send it. It is not repeated."""
    with pytest.raises(ValidationError, match="printable ASCII"):
        Settings(api_token=SecretStr(text))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_what_only_this_machine_can_reach(host: str) -> None:
    """All of 127.0.0.0/8, and the name that stands for it."""
    assert Settings(host=host).is_local


@pytest.mark.parametrize(
    "host", [ANY, "::", "192.168.0.1", "example.org", "localhost.example.org", "127.1", "0"]
)
def test_what_others_may_reach(host: str) -> None:
    """A name may be any."""
    assert not Settings(host=host).is_local


def token() -> str | None:
    """What the settings have of it."""
    found = Settings().api_token
    return None if found is None else found.get_secret_value()


def test_a_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who asks for the secret gets it; a short one is refused."""
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", "0123456789abcdef")
    assert token() == "0123456789abcdef"
    given = Settings()
    for text in (repr(given), str(given.model_dump()), given.model_dump_json()):
        assert "0123456789" not in text
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", "0123456789abcde")
    with pytest.raises(ValidationError, match="at least 16"):
        Settings()


class TestSecretFiles:
    @pytest.fixture
    def secrets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Where a container would have its secrets."""
        monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
        return tmp_path

    def test_that_is_where_containers_have_theirs(self) -> None:
        """Docker and Podman mount them there."""
        assert str(_SECRETS_DIR) == "/run/secrets"

    def test_a_file_sets_its_field(self, secrets: Path) -> None:
        """Named as the variable, in small letters; the line end that editors write is not part of it."""
        (secrets / "retryscope_api_token").write_text("0123456789abcdef\n")
        (secrets / "retryscope_engine_url").write_text("redis://:secret@host:1/2")
        (secrets / "api_token").write_text("of somebody else")
        assert token() == "0123456789abcdef"
        assert Settings().engine_url == "redis://:secret@host:1/2"

    @pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
    def test_a_line_end_is_no_part_of_it(self, secrets: Path, end: str) -> None:
        """Whichever editor wrote it."""
        (secrets / "retryscope_api_token").write_bytes(f"0123456789abcdef{end}".encode())
        assert token() == "0123456789abcdef"

    def test_an_empty_variable_leaves_it_to_the_file(
        self, secrets: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not set; nor is an empty file."""
        (secrets / "retryscope_worker_port").write_text("1")
        (secrets / "retryscope_port").write_text("\n")
        monkeypatch.setenv("RETRYSCOPE_WORKER_PORT", "")
        assert (Settings().worker_port, Settings().port) == (1, 8080)

    def test_the_environment_wins(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """And what is given wins over both."""
        (secrets / "retryscope_worker_port").write_text("1")
        assert Settings().worker_port == 1
        monkeypatch.setenv("RETRYSCOPE_WORKER_PORT", "2")
        assert Settings().worker_port == 2
        assert Settings(worker_port=3).worker_port == 3

    def test_a_link_within_the_folder_is_followed(self, secrets: Path) -> None:
        """Kubernetes mounts them so, to replace all at once."""
        (secrets / "..data").mkdir()
        (secrets / "..data" / "retryscope_api_token").write_text("0123456789abcdef")
        (secrets / "retryscope_api_token").symlink_to(Path("..data", "retryscope_api_token"))
        assert token() == "0123456789abcdef"

    def test_a_folder_without_one_sets_nothing(self, secrets: Path) -> None:
        """Nor does one that is not there: that warns of nothing."""
        assert token() is None
        secrets.rmdir()
        assert token() is None

    def test_a_wrong_one_is_refused_like_a_wrong_variable(self, secrets: Path) -> None:
        """It says which, and how it must be."""
        (secrets / "retryscope_api_token").write_text("")
        with pytest.raises(ValidationError, match="at least 16"):
            Settings()

    def test_one_that_may_not_be_read_is_named(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Otherwise the service would run without its token."""
        path = secrets / "retryscope_api_token"
        path.write_text("0123456789abcdef")
        monkeypatch.setattr(Path, "read_text", _denied)
        with pytest.raises(ValueError, match=r"can't be read from .* Permission denied") as refused:
            Settings()
        assert str(path) in str(refused.value)

    def test_one_that_is_no_text_is_refused(self, secrets: Path) -> None:
        """Without a word about what is in it."""
        (secrets / "retryscope_api_token").write_bytes(b"0123456789abcdef\xff")
        with pytest.raises(ValueError, match=r"can't be read from .* can't decode byte 0xff") as refused:
            Settings()
        assert "0123456789" not in str(refused.value)

    def test_a_folder_that_others_only_may_look_into_is_none(
        self, secrets: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not meant for this user."""
        (secrets / "retryscope_api_token").write_text("0123456789abcdef")
        monkeypatch.setattr(os, "access", lambda path, mode: path != secrets)
        assert token() is None


_SECRETS_DIR = settings.SECRETS_DIR
"""As it is before a test changes it."""


def _denied(path: Path, *args: object, **kwargs: object) -> str:
    raise PermissionError(13, "Permission denied", str(path))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("memory://", "memory://"),
        ("redis://redis:6379/0", "redis://:p%2Fa%40s%3As@redis:6379/0"),
        ("redis://redis", "redis://:p%2Fa%40s%3As@redis"),
        ("rediss://user@redis:6379/0?a=b", "rediss://user:p%2Fa%40s%3As@redis:6379/0?a=b"),
        ("redis://user:own@redis:6379/0", "redis://user:own@redis:6379/0"),
        ("redis+sentinel://a:1,b:2/main", "redis+sentinel://:p%2Fa%40s%3As@a:1,b:2/main"),
        ("unix:///run/redis.sock", "unix://:p%2Fa%40s%3As@/run/redis.sock"),
    ],
)
def test_the_password_of_the_engine_is_part_of_its_address(
    monkeypatch: pytest.MonkeyPatch, url: str, address: str
) -> None:
    """So that a URL can be written down where everybody reads it; one of its own goes before."""
    monkeypatch.setenv("RETRYSCOPE_ENGINE_URL", url)
    assert Settings().engine_address == url
    monkeypatch.setenv("RETRYSCOPE_ENGINE_PASSWORD", "p/a@s:s")
    assert Settings().engine_address == address
    assert "p/a@s" not in repr(Settings())


def test_the_password_of_the_database_is_part_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file needs none."""
    assert Settings().database_address is None
    monkeypatch.setenv("RETRYSCOPE_DATABASE_PASSWORD", "p/a@s:s")
    monkeypatch.setenv("RETRYSCOPE_DATABASE_URL", "postgresql://user@db:5432/shop")
    assert Settings().database_address == "postgresql://user:p%2Fa%40s%3As@db:5432/shop"
    assert "p/a@s" not in repr(Settings())
    monkeypatch.setenv("RETRYSCOPE_DATABASE_URL", "sqlite:////var/lib/shop.db")
    assert Settings().database_address == "sqlite:////var/lib/shop.db"
