"""Live numbers of a load: what was sent, what came back, how long it took."""

from collections import Counter
from dataclasses import dataclass, field

from retryscope_service.load.histogram import Histogram
from retryscope_service.load.request import Answer


@dataclass(slots=True)
class ErrorKind:
    """How often something went wrong, and what was said the first time."""

    count: int
    first: str


@dataclass(slots=True)
class Tally:
    """Numbers of one workflow, or of all.

    Attributes:
        sent: Requests sent.
        not_sent: Requests that were due while too many were in flight.
        succeeded: Answers below 400.
        failed: Answers from 400, timeouts, broken connections.
        hung_up: Requests that the client disconnected because the scenario says so.
        abandoned: Requests without an answer when the load ended.
        latency: From the moment a request was really sent.
        corrected: From the moment it was due. Requests that were not sent, and abandoned ones, have no
            answer and so no latency that anybody knows: they count as slower than all others. Left out, a
            server that stalls would seem fast just because it kept requests from being sent (coordinated
            omission).
    """

    sent: int = 0
    not_sent: int = 0
    succeeded: int = 0
    failed: int = 0
    hung_up: int = 0
    abandoned: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: dict[str, ErrorKind] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)
    corrected: Histogram = field(default_factory=Histogram)

    @property
    def in_flight(self) -> int:
        """Requests sent that nothing has become of yet."""
        return self.sent - self.succeeded - self.failed - self.hung_up - self.abandoned

    @property
    def failure_ratio(self) -> float:
        """Share of the requests due that brought no good answer; 0 when none was due."""
        bad = self.failed + self.not_sent + self.abandoned
        all_ended = bad + self.succeeded
        return bad / all_ended if all_ended else 0.0

    def count_answer(self, due: float, sent: float, answer: Answer) -> None:
        """Count what became of a request that was sent."""
        if answer.status is not None:
            self.statuses[answer.status] += 1
        if answer.outcome is not None:
            self.outcomes[answer.outcome] += 1
        if answer.error is not None:
            self.failed += 1
            self.errors.setdefault(answer.error, ErrorKind(0, answer.detail)).count += 1
        elif answer.answered_at is None:
            self.hung_up += 1
        else:
            self.succeeded += 1
        if answer.answered_at is not None:
            self.latency.add(answer.answered_at - sent)
            self.corrected.add(answer.answered_at - due)


class LoadNumbers:
    """The numbers of a load while it runs and afterwards, in total and by workflow.

    Attributes:
        total: Those of all workflows.
        workflows: Those of each.
        late: Requests that were due, and that the load itself did not get round to before it ended: nothing
            that the service could be blamed for, so they are in no other number.
        longest_delay: Most seconds that the load itself was behind its schedule.
    """

    def __init__(self) -> None:
        self.total = Tally()
        self.workflows: dict[str, Tally] = {}
        self.late = 0
        self.longest_delay = 0.0

    def _tallies(self, workflow: str) -> tuple[Tally, Tally]:
        return self.total, self.workflows.setdefault(workflow, Tally())

    def delayed(self, seconds: float) -> None:
        """It was a request's turn, so long after it was due."""
        self.longest_delay = max(self.longest_delay, seconds)

    def sent(self, workflow: str) -> None:
        """A request is on its way."""
        for tally in self._tallies(workflow):
            tally.sent += 1

    def not_sent(self, workflow: str) -> None:
        """A request was due, but too many are in flight."""
        for tally in self._tallies(workflow):
            tally.not_sent += 1
            tally.corrected.add_unknown()

    def answered(self, workflow: str, due: float, sent: float, answer: Answer) -> None:
        """Something has become of a request."""
        for tally in self._tallies(workflow):
            tally.count_answer(due, sent, answer)

    def abandoned(self, workflow: str) -> None:
        """The load ended before the answer came."""
        for tally in self._tallies(workflow):
            tally.abandoned += 1
            tally.corrected.add_unknown()
