"""The scenarios of `retryscope load`, as data: a healthy one, and one for each alert that traffic fires."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from retryscope_service.load.request import Kind


@dataclass(frozen=True, slots=True)
class Share:
    """One kind of request of a scenario.

    Attributes:
        workflow: Name of the workflow.
        params: Its parameters; what is left out has the service's default.
        weight: How often it is sent, relative to the others.
        kind: How it is run, and whether it is cancelled.
        after: Seconds after which it is cancelled or hung up, before the time scale.
    """

    workflow: str
    params: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    kind: Kind = "inline"
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is sent, and how fast unless told otherwise.

    Attributes:
        summary: What it does, for people.
        shares: What is sent.
        alert: The alert that it provokes; None: it provokes none.
        rate: Requests per second.
        time_scale: Factor on every duration.
        background: Share of the inline requests that are sent as background runs instead.
        max_in_flight: Most requests at a time.
        timeout: Seconds after which a request without an answer has failed.
    """

    summary: str
    shares: tuple[Share, ...]
    alert: str | None = None
    rate: float = 10.0
    time_scale: float = 0.2
    background: float = 0.0
    max_in_flight: int = 500
    timeout: float = 60.0


def _limited(name: str, duration: float, timeout: float) -> dict[str, Any]:
    return {"name": name, "duration": duration, "timeout": timeout}


_IN_TIME = [
    _limited("Database Query", 1.0, 2.5),
    _limited("API Call", 0.5, 1.5),
    _limited("File Processing", 1.0, 4.0),
]
_LATE = [
    _limited("Database Query", 3.0, 2.5),
    _limited("API Call", 3.0, 1.5),
    _limited("File Processing", 5.0, 4.0),
]

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "mixed": Scenario(
            "healthy traffic with some retries, caught errors, timeouts and cancellations; fires no alert",
            (
                Share("sequential", {"failure_rate": 0.05}, weight=25),
                Share("sequential", weight=1, kind="hang_up", after=1.0),
                Share("sequential", weight=1, kind="cancel", after=1.0),
                Share("concurrent", {"failure_rate": 0.05}, weight=20),
                # 1.25 attempts on average; one in 3,100 gives up.
                Share("retry", {"failure_rate": 0.2}, weight=30),
                Share("timeouts", {"operations": _IN_TIME}, weight=20),
                # 2 % of each operation: less than half of what the alert wants.
                Share("timeouts", {"operations": _LATE}, weight=0.4),
                # One of eight tasks is cancelled, and cleans up.
                Share("cancellation", {"durations": [0.5, 0.5, 1, 1, 1, 1.5, 1.5, 5]}, weight=12),
            ),
            background=0.1,
        ),
        "failures": Scenario(
            "two of three runs of `retry` give up: 502",
            (Share("retry", {"failure_rate": 0.8, "max_retries": 1}),),
            alert="FailureBudgetBurn",
        ),
        "caught-failures": Scenario(
            "every task fails, and the workflow catches each of them: 200, and yet nothing was done",
            (Share("sequential", {"failure_rate": 1.0}), Share("concurrent", {"failure_rate": 1.0})),
            alert="OperationFailureRatioHigh",
        ),
        "retry-storm": Scenario(
            "a dependency that fails most of the time, hidden by patient retries: the runs succeed",
            # 2.9 attempts on average; one run in 1,500 gives up.
            (Share("retry", {"failure_rate": 0.65, "max_retries": 16, "base_delay": 0.1, "max_delay": 1.0}),),
            alert="RetryStorm",
        ),
        "timeouts": Scenario(
            "every second run overruns its limits, caught by the workflow: 200",
            (
                Share("timeouts", {"operations": _IN_TIME}),
                Share("timeouts", {"operations": _LATE}),
            ),
            alert="TimeoutRatioHigh",
        ),
        "cancellations": Scenario(
            "clients hang up, and cancel their background runs",
            (
                Share("sequential", {"tasks": 1, "duration": 2.0, "failure_rate": 0.0}, weight=1),
                Share("sequential", {"tasks": 1, "duration": 10.0}, weight=2, kind="hang_up", after=1.0),
                Share("sequential", {"tasks": 1, "duration": 10.0}, weight=1, kind="cancel", after=1.0),
                Share("cancellation", weight=1),
            ),
            alert="CancellationSpike",
        ),
        "saturation": Scenario(
            "more long runs than the service takes at a time (by default 200): the rest gets 429",
            (Share("sequential", {"tasks": 1, "duration": 5.0, "failure_rate": 0.0}),),
            alert="ConcurrencySaturated",
            rate=60.0,
            time_scale=1.0,
        ),
        "stalled": Scenario(
            "a few runs that do not end for an hour; they are cancelled with the end of the load",
            (Share("sequential", {"tasks": 1, "duration": 3600.0, "failure_rate": 0.0}),),
            alert="Stalled",
            rate=1.0,
            time_scale=1.0,
            max_in_flight=10,
            timeout=3600.0,
        ),
        "overload": Scenario(
            "runs of a thousand tasks without any waiting: the event loop has no time for anything else",
            (Share("concurrent", {"tasks": 1000, "duration": 0.0, "failure_rate": 1.0}),),
            alert="EventLoopLagHigh",
            rate=4.0,
            time_scale=1.0,
            # Enough to keep the loop busy for half a second at a time, not so long that scrapes time out.
            max_in_flight=3,
        ),
    }
)
"""Each by its name."""

AS_DOCUMENTED: Final = Scenario("workflows with the service's own numbers", (), time_scale=1.0)
"""What a mix of workflows is sent as when no scenario is named."""
