"""P5: thousands of tasks that are in backoff at once: what they cost, and where their spans are."""

import random

from .asleep import Task, sample_in_fresh_process
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Rounds, Sample, interleave

_NEEDED = ("bare loop", "tenacity", "fast path")
_USUAL = ("bare loop", "backoff", "stamina", "tenacity", "sdk path", "fast path")
"""Without the textbook and fastotel, which take half of the time of all of them; P1 and P4 have both."""
_USUAL_UP_TO = 20_000
"""Callers; with more of them only the variants that the targets compare, the others would take too long."""
_ACCOUNTED = ("sdk path", "fast path")


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, callers: int = 10_000) -> Result:
    def sample(name: str) -> Sample:
        return sample_in_fresh_process(Task("burst", name, callers, receiver.port))

    variants = _USUAL if callers <= _USUAL_UP_TO else _NEEDED
    taken = interleave(variants, sample, rounds=rounds, rng=rng)
    return Result(
        title=f"P5  {callers:,} tasks in backoff at once",
        variants=variants,
        columns=(
            Column("cpu", "CPU us/task", ("bare loop", "tenacity"), scale=1e6),
            Column("total", "total s", ("bare loop", "tenacity")),
        ),
        rounds=taken,
        findings=_findings(taken, "100k" if callers > _USUAL_UP_TO else "10k"),
        notes=tuple(_fate_of_spans(taken, name) for name in _ACCOUNTED if name in variants),
    )


def _findings(taken: Rounds, size: str) -> dict[str, Finding]:
    unaccounted = [
        abs(sample["started"] - sample["arrived"] - sample["dropped"])
        for sample in (by_variant["fast path"] for by_variant in taken.samples)
    ]
    return {
        f"P5/{size}/cpu": Finding.of(taken.ratio("fast path", "bare loop", "cpu")),
        f"P5/{size}/time": Finding.of(taken.ratio("fast path", "tenacity", "total")),
        f"P5/{size}/lost": Finding(max(unaccounted)),
    }


def _fate_of_spans(taken: Rounds, name: str) -> str:
    started, arrived, dropped = (taken.median(name, what) for what in ("started", "arrived", "dropped"))
    silent = started - arrived - dropped
    return (
        f"{name}: of {started:,.0f} spans {arrived:,.0f} arrived, {dropped:,.0f} were dropped and counted,"
        f" {silent:,.0f} were lost silently (medians)"
    )
