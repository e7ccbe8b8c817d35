"""What an alert consists of."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from retryscope_service.slo import definition as slo
from retryscope_service.slo.alerts.evaluation import Evaluation
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.duration import Duration

Unit = Literal["ratio", "s", "count"]

_HUMANIZED: Final[Mapping[Unit, str]] = {
    "ratio": "{{ $value | humanizePercentage }}",
    "s": "{{ $value | humanizeDuration }}",
    "count": "{{ $value | humanize }}",
}
_LABEL: Final = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
_BEYOND_PROCESS: Final = re.compile(r"\[.*?\]")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom alerts concern, in the middle of a sentence.

    Attributes:
        text: With labels in braces; in brackets what only Prometheus knows, as it asks more than one process:
            there its own syntax may stand, too.
        anybody: While it concerns nobody.
    """

    text: str
    anybody: str


WORKFLOW: Final = Subject("workflow {workflow}[ of {job}]", "a workflow")
OPERATION: Final = Subject("{operation} ({workflow}[, {job}])", "an operation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        name: As in the runbook.
        settings: Its part of the definition.
        subject: Whom it concerns.
        summary: What is wrong; ``{subject}`` is to be filled in.
        description: What was measured; ``{value}`` is to be filled in.
        condition: When it fires.
        unit: Of value and threshold.
        threshold: The bound for whatever has none of its own.
        window: The longest one it looks at.
        dashboard: Path and query of what shows more of it, as a template of Prometheus.
        promql: Its condition for Prometheus, where the recording rules are.
        value: The same, evaluated by a process over what it has measured of itself.
        labels: Those that tell it from others of its name.
        template: The value in Prometheus's templates, where the unit does not say it.
    """

    name: str
    settings: slo.Alert
    subject: Subject
    summary: str
    description: str
    condition: str
    unit: Unit
    threshold: float
    window: Duration | None
    dashboard: str
    promql: Callable[[Compression], str]
    value: Callable[[Measured], Iterable[Evaluation]]
    labels: Mapping[str, str] = field(default_factory=dict)
    template: str | None = None

    def templates(self) -> tuple[str, str]:
        """Summary and description as Prometheus fills them in."""
        summary = _LABEL.sub(r"{{ $labels.\1 }}", re.sub(r"[\[\]]", "", self._about(self.subject.text)))
        return summary, self.description.replace("{value}", self.template or _HUMANIZED[self.unit])

    def summarize(self, labels: Mapping[str, str]) -> str:
        """What is wrong, and with what of this process."""
        if not labels:
            return self._about(self.subject.anybody)
        return _BEYOND_PROCESS.sub("", self._about(self.subject.text)).format(**labels)

    def describe(self, value: float | None) -> str:
        """What was measured, while the condition holds, or when it does."""
        if value is not None:
            return self.description.replace("{value}", shown(value, self.unit))
        held = f", for {self.settings.for_}" if self.settings.for_ > Duration(0) else ""
        return f"Fires when {self.condition}{held}."

    def _about(self, subject: str) -> str:
        sentence = self.summary.replace("{subject}", subject)
        return sentence[:1].upper() + sentence[1:]


def shown(value: float, unit: Unit) -> str:
    """A value as people read it.

    >>> shown(0.144, "ratio"), shown(0.25, "s"), shown(2.875, "count")
    ('14.4 %', '0.25 s', '2.88')
    """
    match unit:
        case "ratio":
            return f"{value * 100:.3g} %"
        case "s":
            return f"{value:.3g} s"
    return f"{value:.3g}"
