"""The SLO definition: what is promised, and the bounds beyond which an alert fires.

It is data: the rules for Prometheus are generated from it, and whoever evaluates alert states elsewhere
reads the same thresholds, windows and durations.
"""

import os
import stat
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_pascal
from pydantic_core import ErrorDetails

from retryscope_service import semconv
from retryscope_service.printable import printable
from retryscope_service.slo import strict_yaml
from retryscope_service.slo.duration import Duration

PACKAGED = Path(__file__).with_name("slo.yml")
MAX_BYTES: Final = 65_536
"""Of a definition: the shipped one, comments included, has 3,000."""
_MAX_FAULTS: Final = 20
"""Wrong fields that one message names."""
_SHOWN: Final = 200
"""Characters of a wrong value that a message repeats."""

Severity = Literal["critical", "warning", "info"]
Ratio = Annotated[float, Field(gt=0, lt=1)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s{}?#]*[^\s{}?#/]$")]


def _duration(value: object) -> Duration:
    if not isinstance(value, str):
        shown = printable(repr(value), _SHOWN)
        raise ValueError(f"{shown} is not a duration: write text with a unit, such as 5m")  # noqa: TRY004
    return Duration.parse(value)


def _window(value: object) -> Duration:
    window = _duration(value)
    if window <= Duration(0):
        raise ValueError(f"{value!r} is no window: it must be longer than 0s")
    return window


Hold = Annotated[Duration, PlainValidator(_duration), PlainSerializer(str)]
Window = Annotated[Duration, PlainValidator(_window), PlainSerializer(str)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Objective(_Model):
    """The promise: this share of a workflow's runs does not fail, over the window."""

    ratio: Ratio
    window: Window
    workflows: dict[str, Ratio] = Field(default_factory=dict)
    operations: dict[str, Ratio] = Field(default_factory=dict)

    @property
    def budget(self) -> float:
        """Share of the runs that may fail."""
        return _budget(self.ratio)

    @property
    def workflow_budgets(self) -> dict[str, float]:
        """The budget of each workflow that has an objective of its own."""
        return {workflow: _budget(ratio) for workflow, ratio in self.workflows.items()}

    @property
    def operation_budgets(self) -> dict[str, float]:
        """The budget of each operation that has an objective."""
        return {operation: _budget(ratio) for operation, ratio in self.operations.items()}


def _budget(ratio: float) -> float:
    return round(1 - ratio, 12)


class Alert(_Model):
    """What every alert has: how long its condition must hold, and whom it concerns."""

    for_: Hold = Field(alias="for")
    severity: Severity


class BurnRate(Alert):
    """FailureBudgetBurn in one pair of windows."""

    long: Window
    short: Window
    factor: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.short >= self.long:
            raise ValueError(f"short ({self.short}) must be shorter than long ({self.long})")
        return self


class Stalled(Alert):
    """Runs in flight, and none ended within the window."""

    window: Window


class RatioAlert(Alert):
    """A share above the threshold, over the window."""

    threshold: Ratio
    window: Window


class OperationFailureRatioHigh(RatioAlert):
    """A share of an operation's executions that failed, above its own threshold or the common one."""

    operations: dict[str, Ratio] = Field(default_factory=dict)

    def threshold_of(self, operation: str) -> float:
        """The bound for one operation."""
        return self.operations.get(operation, self.threshold)


class RetryStorm(Alert):
    """More attempts per operation than the threshold, in the recorded ratio."""

    threshold: float = Field(gt=1)


class EventLoopLagHigh(Alert):
    """A quantile of the event loop's lag above the threshold in seconds, over the window."""

    threshold: float = Field(gt=0, lt=semconv.LAG_BUCKETS[-1])
    """A quantile of a histogram never exceeds its last bound, so at it the alert could never fire."""
    quantile: Ratio
    window: Window


class TelemetryDropped(Alert):
    """More spans lost than the threshold, within the window."""

    threshold: int = Field(ge=0)
    window: Window


class Alerts(_Model):
    """The alerts that are not about the objective, by name."""

    model_config = ConfigDict(alias_generator=to_pascal)

    stalled: Stalled
    service_down: Alert
    operation_failure_ratio_high: OperationFailureRatioHigh
    timeout_ratio_high: RatioAlert
    retry_storm: RetryStorm
    concurrency_saturated: RatioAlert
    event_loop_lag_high: EventLoopLagHigh
    cancellation_spike: RatioAlert
    telemetry_dropped: TelemetryDropped


class SloDefinition(_Model):
    """The whole file."""

    job: str = Field(min_length=1)
    runbook_url: Url
    grafana_url: Url | None = None
    objective: Objective
    minimum_events: int = Field(ge=1)
    burn_rates: tuple[BurnRate, ...] = Field(min_length=1, strict=False)
    alerts: Alerts

    @model_validator(mode="after")
    def _can_fire(self) -> Self:
        pairs: set[tuple[Duration, Duration]] = set()
        for burn in self.burn_rates:
            pair = (burn.long, burn.short)
            if pair in pairs:
                raise ValueError(f"burn_rates has the windows long {burn.long}, short {burn.short} twice")
            pairs.add(pair)
            if burn.long > self.objective.window:
                raise ValueError(
                    f"burn_rates has a long window of {burn.long}: it must not exceed objective.window,"
                    f" {self.objective.window}"
                )
            self._check_factor(burn.factor, self.objective.ratio, "objective.ratio")
            for workflow, ratio in self.objective.workflows.items():
                self._check_factor(burn.factor, ratio, f"objective.workflows.{workflow}")
            for operation, ratio in self.objective.operations.items():
                self._check_factor(burn.factor, ratio, f"objective.operations.{operation}")
        return self

    @staticmethod
    def _check_factor(factor: float, ratio: float, where: str) -> None:
        budget = _budget(ratio)
        if factor * budget >= 1:
            raise ValueError(
                f"burn_rates has the factor {factor:g} and {where} is {ratio:g}: no failure ratio exceeds"
                f" {factor:g} x {budget:g} = {factor * budget:g}, so this alert can never fire; set the"
                f" factor below {1 / budget:g} or the objective above {1 - 1 / factor:g}"
            )


class InvalidDefinitionError(ValueError):
    """An SLO definition that can't be used; the message names file, field, value and bound."""


def read_definition(path: Path | None = None) -> SloDefinition:
    """Read an SLO definition; without a path the one that comes with the service.

    Raises:
        InvalidDefinitionError: The file can't be read, is not YAML or holds something wrong.
    """
    path = path or PACKAGED
    try:
        return SloDefinition.model_validate(strict_yaml.load(_read(path).decode()))
    except OSError as error:
        raise InvalidDefinitionError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidDefinitionError(f"{path}: byte {error.start + 1} of it is no UTF-8 text") from None
    except yaml.YAMLError as error:
        raise InvalidDefinitionError(f"{path}: {error}") from None
    except RecursionError:
        raise InvalidDefinitionError(f"{path}: it is nested too deeply to be an SLO definition") from None
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults = [_describe(detail) for detail in details[:_MAX_FAULTS]]
        if len(details) > _MAX_FAULTS:
            faults.append(f"{len(details) - _MAX_FAULTS} more are wrong")
        raise InvalidDefinitionError("\n".join(f"{path}: {fault}" for fault in faults)) from None


def _at_once(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)


def _read(path: Path) -> bytes:
    """The file's bytes; what is no file would be read for ever, or wait for somebody who writes it."""
    if "\0" in str(path):
        raise InvalidDefinitionError(f"{path}: no file has a NUL in its name")
    with open(path, "rb", opener=_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InvalidDefinitionError(f"{path}: an SLO definition is a regular file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InvalidDefinitionError(f"{path}: an SLO definition has at most {MAX_BYTES} bytes")
    return content


_IN_WORDS: Final = {
    "model_type": "it must be a mapping of fields to values",
    "string_pattern_mismatch": "it must be an http:// or https:// address without final slash, query,"
    " fragment, blank or brace",
}
"""What would otherwise be said with a regular expression, or with the name of a class."""


def _describe(detail: ErrorDetails) -> str:
    field = printable(".".join(str(part) for part in detail["loc"]), _SHOWN)
    if detail["type"] == "missing":
        return f"{field} is missing"
    if detail["type"] == "extra_forbidden":
        return f"{field} is not a field of an SLO definition"
    if detail["type"] == "value_error":  # raised here, with the value in it
        return ": ".join(filter(None, (field, str(detail["ctx"]["error"]))))
    bound = _IN_WORDS.get(detail["type"]) or detail["msg"].lower()
    return f"{field or 'the document'} is {printable(repr(detail['input']), _SHOWN)}: {bound}"
