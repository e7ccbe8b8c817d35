"""Which background runs a listing wants."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from retryscope_service.runs.record import RunRecord

Failures = Literal["some", "none"]
FAILURES: Final = get_args(Failures)


@dataclass(frozen=True, slots=True)
class Filter:
    """Runs with one of these; none given: any.

    Attributes:
        failures: ``some``: runs that failed, or in which a task did; ``none``: those that have ended without.
        error_type: Of the run's own error or one of a task.
        since: Submitted then or later.
        until: Submitted then or earlier.
    """

    workflow: Collection[str] = ()
    state: Collection[str] = ()
    outcome: Collection[str] = ()
    failures: Collection[str] = ()
    error_type: str | None = None
    trace_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, record: RunRecord) -> bool:
        """Whether the record is one of those."""
        return (
            (not self.workflow or record.workflow in self.workflow)
            and (not self.state or record.state in self.state)
            and (not self.outcome or record.outcome in self.outcome)
            and (not self.failures or _failures_of(record) in self.failures)
            and (self.error_type is None or self.error_type in record.error_types)
            and (self.trace_id is None or record.trace_id == self.trace_id)
            and (self.since is None or record.submitted_at >= self.since)
            and (self.until is None or record.submitted_at <= self.until)
        )


def _failures_of(record: RunRecord) -> Failures | None:
    """None: it has not ended, so nobody knows."""
    if not record.ended:
        return None
    return "some" if record.has_failures else "none"
