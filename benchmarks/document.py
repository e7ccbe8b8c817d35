"""Everything that was measured as one JSON document: what is printed, and what the page is made from."""

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .findings import Finding, verdict
from .result import Column, Result
from .rounds import Rounds
from .targets import TARGETS, Target

Document = dict[str, Any]
PACKAGES = ("opentelemetry-sdk", "prometheus-client", "aiohttp", "tenacity", "stamina", "backoff", "pydocket")


def document(results: Sequence[Result], *, rounds: int, seed: int, samples: bool = True) -> Document:
    """Every target, measured or not, and a table of each measurement.

    Args:
        results: Of the measurements that were made.
        rounds: That were asked for.
        seed: Of the order of the samples.
        samples: Whether each sample is in it.
    """
    found = {key: finding for result in results for key, finding in result.findings.items()}
    unknown = found.keys() - {target.key for target in TARGETS}
    assert not unknown, f"measured, and no target: {unknown}"
    return {
        "measured": datetime.now(UTC).date().isoformat() if results else None,
        "machine": machine() if results else None,
        "rounds": rounds,
        "seed": seed,
        "rows": [_row(target, found.get(target.key)) for target in TARGETS],
        "tables": [_table(result, samples=samples) for result in results],
    }


def machine() -> dict[str, str | int | float]:
    """What the numbers depend on; nothing that names the machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "load before": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def _row(target: Target, finding: Finding | None) -> Document:
    return {
        "key": target.key,
        "number": target.number,
        "claim": target.claim,
        "bound": target.bound,
        "goal": target.goal,
        "sense": target.sense,
        "required": target.required,
        "value": None if finding is None else finding.value,
        "low": None if finding is None else finding.low,
        "high": None if finding is None else finding.high,
        "verdict": verdict(target, finding),
    }


def _table(result: Result, *, samples: bool) -> Document:
    table: Document = {
        "title": result.title,
        "headings": [heading for column in result.columns for heading in _headings(column)],
        "variants": {
            variant: [cell for column in result.columns for cell in _cells(result.rounds, column, variant)]
            for variant in result.variants
        },
        "absent": dict(result.absent),
        "notes": list(result.notes),
    }
    return {**table, "samples": result.rounds.samples} if samples else table


def _headings(column: Column) -> Iterable[str]:
    return (column.heading, *(f"to {baseline}" for baseline in column.baselines))


def _cells(rounds: Rounds, column: Column, variant: str) -> Iterator[float]:
    yield rounds.median(variant, column.quantity) * column.scale
    for baseline in column.baselines:
        yield rounds.ratio(variant, baseline, column.quantity).median
