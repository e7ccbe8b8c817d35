"""What one call costs in metrics: cells, to the methods of ``prometheus_client``'s own children.

A call is: in flight, an attempt that ended, the operation that ended, with an exemplar as each has that is
sampled. Both count into the same children of the same registry, the client's methods with the labels of the
exemplar as this library made them before it had cells.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry

from retryscope import Operation
from retryscope._prometheus.cells import labels_of
from retryscope.metrics import metrics_for

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Sample, interleave

_IDS = (0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7)
_CALLS = 20_000
_VARIANTS: Final = ("cells", "client")
_LABELS = ("counted", "counted")


def _ways() -> dict[str, Callable[[bool], None]]:
    metrics = metrics_for(CollectorRegistry())
    cells = metrics.of(Operation("counted", workflow="counted"))
    in_flight = metrics.operations_in_flight.labels(*_LABELS)
    attempts = {
        "success": metrics.attempts.labels(*_LABELS, "success", ""),
        "error": metrics.attempts.labels(*_LABELS, "error", "OSError"),
    }
    attempt_durations = {each: metrics.attempt_duration.labels(*_LABELS, each) for each in attempts}
    durations = {each: metrics.operation_duration.labels(*_LABELS, each) for each in attempts}
    counts = {each: metrics.operation_attempts.labels(*_LABELS, each) for each in attempts}

    def by_cells(failed: bool) -> None:
        cells.started()
        if failed:
            cells.attempt("error", "OSError", 0.02, _IDS)
            cells.ended("error", 0.02, 1, _IDS)
        else:
            cells.attempt("success", "", 0.02, None)
            cells.ended("success", 0.02, 1, _IDS)

    def by_client(failed: bool) -> None:
        outcome = "error" if failed else "success"
        in_flight.inc()
        exemplar = labels_of(_IDS)
        of_attempt = exemplar if failed else None
        attempts[outcome].inc(1, of_attempt)
        attempt_durations[outcome].observe(0.02, of_attempt)
        in_flight.dec()
        durations[outcome].observe(0.02, exemplar)
        counts[outcome].observe(1)

    return {"cells": by_cells, "client": by_client}


@contextmanager
def open_work(variant: str, calls: int) -> Iterator[Callable[[], Sample]]:
    count = _ways()[variant]

    def sample() -> Sample:
        taken = {}
        for quantity, failed in (("success", False), ("failure", True)):
            started = time.process_time()
            for _ in range(calls):
                count(failed)
            taken[quantity] = (time.process_time() - started) / calls
        return taken

    sample()
    yield sample


def measure(
    receiver: Receiver,  # noqa: ARG001 - nothing is exported
    *,
    rounds: int,
    rng: random.Random,
    calls: int = _CALLS,
) -> Result:
    tasks = {variant: {"variant": variant, "calls": calls} for variant in _VARIANTS}
    with child.running("benchmarks.counting", tasks) as ask:
        taken = interleave(_VARIANTS, lambda name: ask[name](), rounds=rounds, rng=rng)
    return Result(
        title="cells  an attempt and its operation counted, each with an exemplar where it has one",
        variants=_VARIANTS,
        columns=(
            Column("success", "us/success", ("client",), scale=1e6),
            Column("failure", "us/failure", ("client",), scale=1e6),
        ),
        rounds=taken,
        findings={
            f"cells/{name}": Finding.of(taken.ratio("cells", "client", name))
            for name in ("success", "failure")
        },
    )
