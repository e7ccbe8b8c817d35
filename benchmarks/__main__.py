"""``python -m benchmarks``: measure, print, and fail if a required target is missed."""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from . import (
    background,
    counting,
    first_tries,
    growth,
    outages,
    page,
    page_spans,
    peers,
    primitives,
    request_tail,
    retries,
    retrying_requests,
    round_trips,
    scrapes,
    sleepers_burst,
    sleepers_memory,
    stack_traces,
    trivial_requests,
)
from .document import document
from .receiver import running_receiver
from .report import render_rows, render_table
from .result import Result

_ROUNDS = 9
_MANY = 100_000

Measure = Callable[..., Result]
MEASUREMENTS: Final[Mapping[str, Sequence[Measure]]] = {
    "P1": [retries.measure],
    "P1s": [first_tries.measure],
    "P2": [trivial_requests.measure],
    "P3": [request_tail.measure],
    "P4": [sleepers_memory.measure],
    "P5": [sleepers_burst.measure],
    "P6": [outages.measure],
    "P7": [scrapes.measure],
    "P8": [background.measure],
    "P9": [growth.measure],
    "P10": [retrying_requests.measure],
    "P11": [round_trips.measure],
    "P12": [stack_traces.measure, primitives.measure],
    "P13": [page_spans.measure],
    "cells": [counting.measure],
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    started = time.monotonic()
    _forget_settings()
    peers.install()
    print(
        f"{options.rounds} interleaved, shuffled rounds on {os.cpu_count()} cores with a load of"
        f" {os.getloadavg()[0]:.1f}; ratios are medians of pairs, absolute numbers only show the scale"
    )
    results: list[Result] = []
    with running_receiver() as receiver:
        for measure in _chosen(options.only, full=options.full):
            began = time.monotonic()
            results.append(measure(receiver, rounds=options.rounds, rng=random.Random(options.seed)))
            (table,) = document(results[-1:], rounds=options.rounds, seed=options.seed)["tables"]
            print(f"{render_table(table)}\n  {time.monotonic() - began:.0f} s", flush=True)
    found = document(results, rounds=options.rounds, seed=options.seed)
    print(render_rows(found))
    print(f"\n  {time.monotonic() - started:.0f} s")
    if options.write_docs:
        page.write_docs(document(results, rounds=options.rounds, seed=options.seed, samples=False))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return int(any(row["required"] and row["verdict"] == "FALL SHORT" for row in found["rows"]))


def _chosen(only: str | None, *, full: bool) -> list[Measure]:
    chosen = [each for name, measures in MEASUREMENTS.items() if only in (None, name) for each in measures]
    if full and only in (None, "P5"):
        chosen.append(partial(sleepers_burst.measure, callers=_MANY))
    return chosen


def _forget_settings() -> None:
    """Another sampler, endpoint or recorder would compare other things than the table says."""
    for name in [name for name in os.environ if name.startswith(("OTEL_", "RETRYSCOPE_"))]:
        del os.environ[name]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_count, default=_ROUNDS, help=f"default: {_ROUNDS}")
    parser.add_argument("--only", choices=list(MEASUREMENTS), help="this measurement only")
    parser.add_argument("--full", action="store_true", help=f"P5 with {_MANY:,} tasks too; takes long")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the samples")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here too")
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="write the table, the JSON and the picture of docs/performance.md",
    )
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
