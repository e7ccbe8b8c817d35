"""What Alertmanager posts to a webhook (version 4), validated.

Only what is shown is read. Everything else, and whatever later versions add, is let through unread.

Alertmanager does not repeat what is refused with a 4xx, so one alert of a group must not cost the others: one
that is too long is cut, one that can't be read is left out.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from retryscope_service.operations.parameters import Integer

MAX_ALERTS: Final = 1_000
"""Alerts of one notification."""
MAX_LABELS: Final = 64
"""Labels, and annotations, of one alert."""
MAX_TEXT: Final = 8_192
"""Characters of one label, annotation or address."""
MAX_ALERT_TEXT: Final = 16_384
"""Characters of all labels and annotations of one alert."""

NAMING: Final = ("alertname", "severity")
"""Labels that say which alert it is."""

Status = Literal["firing", "resolved"]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Labels = Annotated[dict[Text, Text], Field(max_length=MAX_LABELS)]


def _to_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:  # the first or the last hours that there are, seen from another time zone
        raise ValueError("this time does not exist in UTC") from None


def _no_number(time: object) -> object:
    if not isinstance(time, (str, datetime)):
        raise PydanticCustomError("datetime_type", "Input should be a valid datetime")
    return time


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc), BeforeValidator(_no_number)]


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


class CutAlert(Alert):
    """An alert that was too long: some of its texts are cut, or missing."""


class Group(_Posted):
    """The alerts of one group, as they were posted."""

    version: Literal["4"] = Field(description="Version of the webhook's format.")
    status: Status = Field(description="firing while any of the alerts fires.")
    receiver: Text = Field(description="Name of the receiver in Alertmanager's configuration.")
    alerts: list[Any]
    truncated_alerts: Integer = Field(
        0, ge=0, strict=True, description="Alerts that it left out, because of max_alerts of the receiver."
    )


class Notification(Group):
    """A group all of whose alerts are as they should be: what Alertmanager is to send."""

    alerts: list[Alert] = Field(max_length=MAX_ALERTS, description="What Alertmanager wants to tell of.")


def read_alert(posted: object) -> Alert | None:
    """An alert, cut where it is too long; None if it can't be read."""
    for kind, candidate in ((Alert, posted), (CutAlert, _within_bounds(posted))):
        try:
            return kind.model_validate(candidate)
        except ValidationError:
            continue
    return None


def _within_bounds(posted: object) -> object:
    """The same without what makes it too long; whatever else is wrong with it stays."""
    if not isinstance(posted, dict):
        return posted
    left = MAX_ALERT_TEXT
    cut = dict(posted)
    for member in ("labels", "annotations"):
        texts = posted.get(member)
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            continue
        kept: dict[str, str] = {}
        for name, text in sorted(texts.items(), key=_first_to_keep)[:MAX_LABELS]:
            room = min(MAX_TEXT, left - len(name))
            if len(name) <= MAX_TEXT and room > 0:
                kept[name] = text if len(text) <= room else f"{text[: room - 1]}…"
                left -= len(name) + len(kept[name])
        cut[member] = kept
    address = posted.get("generatorURL")
    if isinstance(address, str) and len(address) > MAX_TEXT:
        cut["generatorURL"] = ""  # a part of it leads nowhere
    return cut


def _first_to_keep(label: tuple[str, str]) -> tuple[bool, int]:
    """What an alert is called, then what is short."""
    name, text = label
    return name not in NAMING, len(text)
