"""The results as text and as JSON."""

import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .goals import Goal
from .result import Column, Result
from .rounds import Rounds


def render(result: Result) -> str:
    """One table: absolute medians to show the scale, then the ratios."""
    lines = ["", result.title]
    heading = f"  {'':12}" + "".join(_headings(result))
    lines.append(heading.rstrip())
    lines.extend(_row(result, variant) for variant in result.variants)
    lines.extend(f"  {note}" for note in result.notes)
    return "\n".join(lines)


def render_goals(goals: Sequence[Goal]) -> str:
    width = max((len(goal.claim) for goal in goals), default=0)
    lines = ["", f"  {'goal':5} {'':{width}} {'measured':>9} {'quartiles':>17} {'bound':>14}"]
    for goal in goals:
        spread = f"{goal.spread[0]:.2f} .. {goal.spread[1]:.2f}" if goal.spread else ""
        must = " (required)" if goal.required else ""
        lines.append(
            f"  {goal.name:5} {goal.claim:{width}} {goal.value:9.2f} {spread:>17}"
            f" {goal.sense:>8} {goal.bound:5.2f}  {goal.verdict}{must}"
        )
    return "\n".join(lines)


def write_json(path: Path, results: Iterable[Result], rounds: int) -> None:
    document = {
        "python": platform.python_version(),
        "rounds": rounds,
        "results": [_as_json(result) for result in results],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _headings(result: Result) -> Iterator[str]:
    for column in result.columns:
        yield f"{column.heading:>14}"
        for baseline in column.baselines:
            yield f"{'to ' + baseline:>14}"


def _row(result: Result, variant: str) -> str:
    return f"  {variant:12}" + "".join(
        cell for column in result.columns for cell in _cells(result.rounds, column, variant)
    )


def _cells(rounds: Rounds, column: Column, variant: str) -> Iterator[str]:
    yield f"{rounds.median(variant, column.quantity) * column.scale:14,.2f}"
    for baseline in column.baselines:
        yield f"{rounds.ratio(variant, baseline, column.quantity).median:14.2f}"


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "title": result.title,
        "goals": [{**asdict(goal), "verdict": goal.verdict} for goal in result.goals],
        "notes": result.notes,
        "samples": result.rounds.samples,
    }
