"""What becomes of a request to change a run: the answers of the store."""

from dataclasses import dataclass
from typing import Literal

HandedBack = Literal["done", "late", "cancelling"]
"""``late``: another delivery has overtaken this one; ``cancelling``: it is to be cancelled instead."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission.

    Attributes:
        verdict: ``new``; ``known`` (the same key and body before); ``conflict`` (the same key, another
            body); ``full`` (nothing was stored).
        run_id: The run; empty if ``full``.
    """

    verdict: Literal["new", "known", "conflict", "full"]
    run_id: str


@dataclass(frozen=True, slots=True)
class Started:
    """Whether a delivered run may start.

    Attributes:
        verdict: ``run``; ``ended`` (nothing to do); ``overtaken`` (another worker has it);
            ``abandoned`` (its worker died while it was being
            cancelled); ``lost`` (delivered too often).
        delivery: Number of this delivery, from 1.
    """

    verdict: Literal["run", "ended", "overtaken", "abandoned", "lost"]
    delivery: int
