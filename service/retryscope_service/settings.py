"""Settings of the service, from ``RETRYSCOPE_*`` environment variables, and from files with secrets."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from retryscope_service.address import host_pattern, valid_root_path
from retryscope_service.settings_sources import Environment, SecretFiles
from retryscope_service.targets import Target

SECRETS_DIR: Path = Path("/run/secrets")
"""Where containers find their secrets."""


class Settings(BaseSettings):
    """Each field is the variable ``RETRYSCOPE_`` plus its name in capitals.

    Without such a variable it is what the file of that name, in small letters, in ``SECRETS_DIR`` holds.
    """

    model_config = SettingsConfigDict(env_prefix="RETRYSCOPE_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    allow_remote: bool = Field(
        False, description="Listen beyond this machine, where anybody who reaches the port can start runs."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Host names besides loopback ones that requests may be for, separated by commas."
    )
    http_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts that the operation http may call, each with an optional port, by commas."
    )
    root_path: str = Field("", description="Path below which a reverse proxy shows the service.")
    forwarded_allow_ips: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses and networks of proxies whose X-Forwarded-* headers are believed."
    )
    loop: Literal["auto", "asyncio", "uvloop"] = Field(
        "auto", description="Event loop; auto is uvloop where it is installed."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    max_body_bytes: int = Field(65_536, ge=1, le=16_777_216, description="Largest request body.")
    max_connections: int = Field(
        10_000, ge=1, le=1_000_000, description="Open connections at a time, as far as ulimit -n allows."
    )
    max_runs_in_flight: int = Field(200, ge=1, le=100_000, description="Inline runs at the same time.")
    drain_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="How long a shutdown waits for running workflows.",
    )
    flush_seconds: float = Field(
        5.0,
        ge=0,
        le=300,
        allow_inf_nan=False,
        description="How long a shutdown waits for spans to be exported.",
    )
    max_traces: int = Field(
        500, ge=1, le=100_000, description="Traces that /traces remembers; plain successes make room first."
    )
    max_spans: int = Field(200_000, ge=1, le=10_000_000, description="Spans that /traces remembers.")

    attempts: Literal["spans", "events"] = Field(
        "spans",
        description="Whether attempts and waits are spans, or attempts only events on their operation's.",
    )
    keep_successes: float = Field(
        1.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Share of plain successes whose spans are exported; all else is exported whole.",
    )
    explain_cancels: bool = Field(
        False, description="Record which task cancelled another one, and where in the code."
    )
    api_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token that all requests need but those for the page, /docs, /health.",
    )
    grafana_url: str | None = Field(None, description="Grafana that shows this service, for links to it.")
    prometheus_url: str | None = Field(
        None, description="Prometheus that scrapes this service, for links to it."
    )
    engine_url: str = Field(
        "memory://", description="Engine of background runs: memory://, or redis:// to share it."
    )
    engine_password: SecretStr | None = Field(
        None, min_length=1, description="Password for engine_url, where that has none of its own."
    )
    upstream_url: str | None = Field(
        None, description="Upstream that operations call; by default one is part of the process."
    )
    upstream_port: int = Field(
        0, ge=0, le=65535, description="Port of that one, on 127.0.0.1 only; 0 takes a free one."
    )
    upstream_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token for its /faults; by default the API token, or a new one.",
    )
    upstream_faults: str = Field(
        "", description="What it does to requests at first: JSON, or a file with it."
    )
    database_url: str | None = Field(
        None,
        description="SQL database: sqlite:///FILE or postgresql://; by default a file of this process alone.",
    )
    database_password: SecretStr | None = Field(
        None, min_length=1, description="Password for database_url, where that has none of its own."
    )
    database_connections: int = Field(
        20, ge=1, le=1000, description="Connections of a process to the database at a time."
    )
    worker_concurrency: int = Field(
        100, ge=1, le=10_000, description="Background runs of a worker at a time."
    )
    worker_port: int = Field(
        8081,
        ge=0,
        le=65535,
        description="Port of `retryscope worker` for /metrics and /health; 0: a free one.",
    )
    max_active_runs: int = Field(
        20_000, ge=1, le=10_000_000, description="Background runs queued and running at a time."
    )
    max_finished_runs: int = Field(
        20_000, ge=1, le=10_000_000, description="Finished background runs that are remembered."
    )
    run_retention_seconds: float = Field(
        86_400, ge=1, le=31_536_000, allow_inf_nan=False, description="How long finished runs are remembered."
    )
    redelivery_seconds: float = Field(
        15.0,
        ge=1,
        le=3600,
        allow_inf_nan=False,
        description="After how long without a sign of life a worker's runs go to another one.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then the files with secrets."""
        return init_settings, Environment(settings_cls), SecretFiles(settings_cls, SECRETS_DIR)

    @field_validator("grafana_url", "prometheus_url", "upstream_url")
    @classmethod
    def _a_web_address(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if not value.startswith(("http://", "https://")):
            raise ValueError("it must start with http:// or https://")
        if "@" in value:
            raise ValueError("it must have no user and no password: every page shows it")
        parts = urlsplit(value)
        if (
            not value.isprintable()
            or re.search(r"[\s\"<>\\^`{|}]", value)
            or not parts.hostname
            or parts.port == 0
        ):
            raise ValueError("it must be a URL such as https://grafana.example:3000/path")
        return value

    @field_validator("host")
    @classmethod
    def _a_host(cls, value: str) -> str:
        if not re.fullmatch(r"[0-9A-Za-z._:%-]+", value):
            raise ValueError("it must be an address such as 127.0.0.1 or ::1, or the name of a host")
        return value

    @field_validator("api_token", "upstream_token")
    @classmethod
    def _a_header_can_carry_it(cls, value: SecretStr | None) -> SecretStr | None:
        token = "" if value is None else value.get_secret_value()
        if re.search(r"[^!-~]", token):
            raise ValueError("it must be printable ASCII without blanks: a header has to carry it")
        return value

    @field_validator("allowed_hosts", "http_allowed_hosts", "forwarded_allow_ips", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(host_pattern, value))

    @field_validator("http_allowed_hosts")
    @classmethod
    def _targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Target.parse(each)) for each in value)

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ipaddress.ip_network(each)) for each in value)

    @field_validator("root_path")
    @classmethod
    def _a_root_path(cls, value: str) -> str:
        return valid_root_path(value)

    @field_validator("engine_url")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        schemes = ("memory://", "redis://", "rediss://", "redis+cluster://", "redis+sentinel://", "unix://")
        if not value.startswith(schemes):
            raise ValueError(f"it must start with one of {', '.join(schemes)}")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        schemes = ("sqlite://", "sqlite+aiosqlite://", "postgresql://", "postgresql+asyncpg://")
        if value is not None and not value.startswith(schemes):
            raise ValueError(f"it must start with one of {', '.join(schemes)}")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("it must be DEBUG, INFO, WARNING or ERROR")
        return level

    @property
    def token(self) -> str | None:
        """The API token as a text."""
        return None if self.api_token is None else self.api_token.get_secret_value()

    @property
    def faults_token(self) -> str | None:
        """The token of the upstream's ``/faults`` as a text: its own, or the API's."""
        return self.token if self.upstream_token is None else self.upstream_token.get_secret_value()

    @property
    def engine_address(self) -> str:
        """The engine's URL with its password."""
        return with_password(self.engine_url, self.engine_password)

    @property
    def database_address(self) -> str | None:
        """The database's URL with its password; None: a file of the process alone."""
        if self.database_url is None or self.database_url.startswith("sqlite"):
            return self.database_url
        return with_password(self.database_url, self.database_password)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def with_password(url: str, password: SecretStr | None) -> str:
    """The URL of an engine or a database with a password, unless it has one or needs none."""
    scheme, _, rest = url.partition("://")
    authority, slash, tail = rest.partition("/")
    user, _, hosts = authority.rpartition("@")
    if password is None or scheme == "memory" or ":" in user:
        return url
    return f"{scheme}://{user}:{quote(password.get_secret_value(), safe='')}@{hosts}{slash}{tail}"
