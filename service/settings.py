"""Settings of the service, from ``RETRYSCOPE_*`` environment variables."""

import ipaddress

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field is the variable ``RETRYSCOPE_`` plus its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="RETRYSCOPE_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    allow_remote: bool = Field(
        False, description="Listen beyond this machine, where anybody who reaches the port can start runs."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    max_body_bytes: int = Field(65_536, ge=1, le=16_777_216, description="Largest request body.")
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
    max_traces: int = Field(500, ge=1, le=100_000, description="Traces that /traces remembers.")
    max_spans: int = Field(200_000, ge=1, le=10_000_000, description="Spans that /traces remembers.")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("it must be DEBUG, INFO, WARNING or ERROR")
        return level

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
