"""What a process finds when it evaluates an alert's condition."""

from collections.abc import Mapping
from dataclasses import dataclass

from retryscope_service.slo.duration import Duration


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A value that a process has compared with its bound.

    Attributes:
        labels: What it is the value of.
        value: The value.
        threshold: Its bound.
        holds: Whether the whole condition holds.
        lacks: Why it does not, though the value is above its bound; None where it is not, or where it holds.
    """

    labels: Mapping[str, str]
    value: float
    threshold: float
    holds: bool
    lacks: str | None = None


def compared(
    labels: Mapping[str, str], value: float, threshold: float, lacks: str | None = None
) -> Evaluation:
    """A condition that holds while the value is above its bound and nothing else is lacking."""
    above = value > threshold
    return Evaluation(labels, value, threshold, above and lacks is None, lacks if above else None)


def too_few(events: float, minimum: int, window: Duration) -> str | None:
    """What a value lacks that was measured on too few events to say anything."""
    if events >= minimum:
        return None
    # Rounded down: "10 of at least 10" would be no reason.
    there_are = f"there {'is' if int(events) == 1 else 'are'} {int(events)}"
    return f"it needs at least {minimum} events in the last {window}, and {there_are}"
