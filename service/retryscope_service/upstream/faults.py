"""What an upstream does to requests, as data; and the draw of what it does to one of them."""

import math
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from retryscope_service.http.validation import problem_of
from retryscope_service.operations.parameters import Parameters, Probability, Seconds, Seed
from retryscope_service.upstream.latency import Latency

Fault = Literal["error", "rate_limited", "unavailable", "hang", "reset", "truncated", "slow_body"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
"""In the order in which they are drawn."""

Prefix = Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=200)]
_ROUNDING: Final = 1e-9


class Faults(Parameters):
    """What an upstream does to requests; by default nothing.

    >>> Faults(error=0.3, rate_limited=0.1).error
    0.3
    """

    latency: Latency | None = Field(
        None, description="How long every request takes beside the work it asks for."
    )
    error: Probability = Field(0.0, description="Share of requests that are answered 500.")
    rate_limited: Probability = Field(0.0, description="Share that are answered 429 with Retry-After.")
    unavailable: Probability = Field(0.0, description="Share that are answered 503 with Retry-After.")
    hang: Probability = Field(
        0.0, description="Share that get no answer until the client goes, or hang_seconds are over."
    )
    reset: Probability = Field(0.0, description="Share whose connection is reset (TCP RST).")
    truncated: Probability = Field(
        0.0, description="Share whose body ends before its Content-Length, with the connection."
    )
    slow_body: Probability = Field(
        0.0, description="Share whose body comes in pieces, over slow_body_seconds."
    )
    retry_after: int = Field(1, ge=0, le=3600, description="Whole seconds that Retry-After says.")
    hang_seconds: Seconds = Field(60.0, description="After how long a hanging request is cut off.")
    slow_body_seconds: Seconds = Field(5.0, description="How long a slow body takes.")
    paths: tuple[Prefix, ...] = Field(
        (), max_length=20, description="Paths that they hold for, with all below these; none: for all."
    )
    seed: Seed | None = Field(
        None,
        description="The same seed draws the same, request by request; by default another one each time.",
    )

    @model_validator(mode="after")
    def _probabilities_of_one_draw(self) -> "Faults":
        total = math.fsum(self.probability(fault) for fault in FAULTS)
        if total > 1 + _ROUNDING:
            raise PydanticCustomError(
                "sum_above_one",
                "the probabilities of {names} add up to {total}, and may at most to {le}",
                {"names": ", ".join(FAULTS), "total": f"{total:g}", "le": 1},
            )
        return self

    def probability(self, fault: Fault) -> float:
        """The share of requests that it is done to."""
        share: float = getattr(self, fault)
        return share

    def hold_for(self, path: str) -> bool:
        """Whether they are for requests to that path.

        >>> Faults(paths=("/job/pay",)).hold_for("/job/pay/card")
        True
        >>> Faults(paths=("/job/pay",)).hold_for("/job/payment")
        False
        """
        return not self.paths or any(f"{path}/".startswith(f"{each.rstrip('/')}/") for each in self.paths)


@dataclass(frozen=True, slots=True)
class Draw:
    """What is done to one request.

    Attributes:
        fault: None: it is answered as it asks.
        latency: In seconds, before whatever comes then.
    """

    fault: Fault | None = None
    latency: float = 0.0


def draw(faults: Faults, rng: Random) -> Draw:
    """What is done to the next request that they hold for: nothing else decides than the two arguments.

    >>> draw(Faults(reset=1), Random(1))
    Draw(fault='reset', latency=0.0)
    """
    point = rng.random()
    drawn: Fault | None = None
    for fault in FAULTS:
        point -= faults.probability(fault)
        if point < 0:
            drawn = fault
            break
    return Draw(drawn, 0.0 if faults.latency is None else faults.latency.draw(rng))


def read_faults(text: str) -> Faults:
    """Faults as JSON, or the name of a file that holds them; of an empty text, none.

    Raises:
        ValueError: They are not valid, or the file can't be read; the message names field, value and bound.

    >>> read_faults('{"error": 2}')
    Traceback (most recent call last):
    ValueError: error is 2: input should be less than or equal to 1.
    """
    given = text.strip()
    if given and not given.startswith("{"):
        try:
            given = Path(given).read_text()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(
                f'faults are JSON such as {{"error": 0.3}}, or a file with it: {error}'
            ) from None
    try:
        return Faults.model_validate_json(given or "{}")
    except ValidationError as error:
        raise ValueError(problem_of(error).detail) from None
