"""``python -m benchmarks``: measure, print, and fail if a required goal is missed."""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from . import background, counting, page_spans, retries, scrapes, sleepers_burst, sleepers_memory
from .receiver import running_receiver
from .report import render, render_goals, write_json
from .result import Result

_ROUNDS = 9
_MANY = 100_000

Measure = Callable[..., Result]
GOALS: Final[Mapping[str, Measure]] = {
    "P1": retries.measure,
    "P4": sleepers_memory.measure,
    "P5": sleepers_burst.measure,
    "P7": scrapes.measure,
    "cells": counting.measure,
    "P8": background.measure,
    "P13": page_spans.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    started = time.monotonic()
    _forget_opentelemetry_settings()
    print(
        f"{options.rounds} interleaved, shuffled rounds on {os.cpu_count()} cores with a load of"
        f" {os.getloadavg()[0]:.1f}; ratios are medians of pairs, absolute numbers only show the scale"
    )
    with running_receiver() as receiver:
        results = [
            _print(measure(receiver, rounds=options.rounds, rng=random.Random(options.seed)))
            for measure in _chosen(options.only, full=options.full)
        ]
    goals = [goal for result in results for goal in result.goals]
    print(render_goals(goals))
    print(f"\n  {time.monotonic() - started:.0f} s")
    if options.json is not None:
        write_json(options.json, results, options.rounds)
    return int(any(goal.required and not goal.passed for goal in goals))


def _chosen(only: str | None, *, full: bool) -> list[Measure]:
    chosen = [measure for name, measure in GOALS.items() if only in (None, name)]
    if full and only in (None, "P5"):
        chosen.append(partial(sleepers_burst.measure, callers=_MANY))
    return chosen


def _forget_opentelemetry_settings() -> None:
    """Another sampler or endpoint would compare other things than the table says."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]


def _print(result: Result) -> Result:
    print(render(result), flush=True)
    return result


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_count, default=_ROUNDS, help=f"default: {_ROUNDS}")
    parser.add_argument("--only", choices=list(GOALS), help="measure for this goal only")
    parser.add_argument("--full", action="store_true", help=f"P5 with {_MANY:,} tasks too; takes long")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the samples")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here too")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
