"""What Alertmanager posts to a webhook (version 4), validated.

Only what is shown is read. Everything else, and whatever later versions add, is let through unread.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from service.workflows.definition import Integer

MAX_ALERTS: Final = 1_000
"""Alerts of one notification."""
MAX_LABELS: Final = 64
"""Labels, and annotations, of one alert."""
MAX_TEXT: Final = 8_192
"""Characters of one label, annotation or address."""
MAX_ALERT_TEXT: Final = 16_384
"""Characters of all labels and annotations of one alert."""

Status = Literal["firing", "resolved"]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Labels = Annotated[dict[Text, Text], Field(max_length=MAX_LABELS)]


def _to_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:  # the first or the last hours that there are, seen from another time zone
        raise ValueError("this time does not exist in UTC") from None


UtcTime = Annotated[AwareDatetime, Field(strict=True), AfterValidator(_to_utc)]


class _Posted(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class Alert(_Posted):
    """One alert as it is now."""

    status: Status = Field(description="Whether it fires.")
    labels: Labels = Field(description="What identifies it.")
    annotations: Labels = Field(default_factory=dict, description="What explains it.")
    starts_at: UtcTime = Field(description="When it began to fire.")
    ends_at: UtcTime = Field(description="When it was resolved; the year 1 while it fires.")
    generator_url: Text = Field("", alias="generatorURL", description="Its expression in Prometheus.")
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="The same for the same labels."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        length = sum(
            len(name) + len(text) for name, text in (*self.labels.items(), *self.annotations.items())
        )
        if length > MAX_ALERT_TEXT:
            raise PydanticCustomError(
                "alert_too_long",
                "Labels and annotations should have at most {max_length} characters, these have {length}",
                {"max_length": MAX_ALERT_TEXT, "length": length},
            )
        return self


class Notification(_Posted):
    """The alerts of one group."""

    version: Literal["4"] = Field(description="Version of the webhook's format.")
    status: Status = Field(description="firing while any of the alerts fires.")
    receiver: Text = Field(description="Name of the receiver in Alertmanager's configuration.")
    alerts: list[Alert] = Field(max_length=MAX_ALERTS, description="What Alertmanager wants to tell of.")
    truncated_alerts: Integer = Field(
        0, ge=0, strict=True, description="Alerts that it left out, because of max_alerts of the receiver."
    )
