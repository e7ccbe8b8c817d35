"""P5: thousands of tasks that are in backoff at once: what they cost, and where their spans are."""

import random

from .asleep import Task, sample_in_fresh_process
from .goals import Goal
from .receiver import Receiver
from .result import Column, Result
from .rounds import Rounds, Sample, interleave
from .variants import NAMES

_NEEDED = ("bare loop", "tenacity", "retryscope")
_ALL_UP_TO = 20_000
"""Callers; with more of them only the variants that the goals compare, the others would take too long."""


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, callers: int = 10_000) -> Result:
    def sample(name: str) -> Sample:
        return sample_in_fresh_process(Task("burst", name, callers, receiver.port))

    variants = NAMES if callers <= _ALL_UP_TO else _NEEDED
    taken = interleave(variants, sample, rounds=rounds, rng=rng)
    return Result(
        title=f"P5  {callers:,} tasks in backoff at once",
        variants=variants,
        columns=(
            Column("cpu", "CPU us/task", ("bare loop", "tenacity"), scale=1e6),
            Column("total", "total s", ("bare loop", "tenacity")),
        ),
        rounds=taken,
        goals=_goals(taken, callers),
        notes=tuple(_fate_of_spans(taken, name) for name in ("textbook", "retryscope") if name in variants),
    )


def _goals(taken: Rounds, callers: int) -> tuple[Goal, ...]:
    unaccounted = [
        abs(sample["started"] - sample["arrived"] - sample["dropped"])
        for sample in (by_variant["retryscope"] for by_variant in taken.samples)
    ]
    size = f"{callers:,} at once"
    to_bare = taken.ratio("retryscope", "bare loop", "cpu")
    to_tenacity = taken.ratio("retryscope", "tenacity", "total")
    return (
        Goal.of_ratio("P5", f"{size}: CPU to the bare loop", to_bare, 1.8),
        Goal.of_ratio("P5", f"{size}: total time to uninstrumented tenacity", to_tenacity, 0.45),
        Goal("P5", f"{size}: spans neither exported nor counted", max(unaccounted), 0.0, required=True),
    )


def _fate_of_spans(taken: Rounds, name: str) -> str:
    started, arrived, dropped = (taken.median(name, what) for what in ("started", "arrived", "dropped"))
    silent = started - arrived - dropped
    return (
        f"{name}: of {started:,.0f} spans {arrived:,.0f} arrived, {dropped:,.0f} were dropped and counted,"
        f" {silent:,.0f} were lost silently (medians)"
    )
