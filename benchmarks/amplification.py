"""``python -m benchmarks.amplification``: how retries multiply the requests to an upstream that fails.

Runs of the workflow `retry` call the flaky upstream over HTTP while it fails a share of the requests: first
with the textbook's policy of five attempts, then with the same policy and a retry budget. What the upstream
got is divided by the runs. Counted, not timed: the machine has no say in it.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from retryscope_service.drills.drill import Load
from retryscope_service.drills.measures import amplification, http_run
from retryscope_service.drills.own_service import own_service
from retryscope_service.drills.target import Target
from retryscope_service.upstream.faults import Faults

SHARES: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Of the requests, which fail."""
RUNS: Final = 300
POLICIES: Final[Mapping[str, bool]] = {"textbook": False, "with a retry budget": True}
"""By name, whether there is a budget."""
BOUND: Final = 1.2
"""Of the policy with a budget."""
_DOCS: Final = Path(__file__).parents[1] / "docs" / "pictures"

Curves = Mapping[str, Sequence[float]]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 300, 48, 36, 40
_MOST: Final = 5.0
_STYLE: Final = """
  text { font: 12px system-ui, sans-serif; fill: #24292f } .faint { fill: #57606a }
  .grid { stroke: #d0d7de }
  .textbook { stroke: #bc4c00; fill: #bc4c00 } .budget { stroke: #0969da; fill: #0969da }
  polyline { fill: none !important; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
    .textbook { stroke: #f0883e; fill: #f0883e } .budget { stroke: #58a6ff; fill: #58a6ff }
  }
"""


async def measured(runs: int = RUNS) -> Curves:
    """Requests that the upstream got for each run, by policy, at each of the shares."""
    curves: dict[str, list[float]] = {}
    async with own_service() as place, Target.open(place) as target:
        for name, budget in POLICIES.items():
            curves[name] = []
            for share in SHARES:
                await target.put_faults(Faults(error=share, seed=1))
                load = Load(http_run(budget=budget), runs, at_once=20)
                curves[name].append(amplification(await target.observe(load)))
    return curves


def drawn(curves: Curves) -> str:
    """The curves as SVG, readable on a light and on a dark page."""
    title = "Requests that the upstream gets for each run, by the share of them that it fails"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style>",
            f'<text x="8" y="18">{title}</text>',
            *_axes(),
            *(line for name, curve in curves.items() for line in _curve(name, curve)),
            "</svg>\n",
        ]
    )


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - 24)


def _y(times: float) -> float:
    return _HEIGHT - _BOTTOM - (times - 1) / (_MOST - 1) * (_HEIGHT - _TOP - _BOTTOM - 8)


def _axes() -> Iterator[str]:
    for times in range(1, 6):
        y = _y(times)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - 24}" y2="{y:.1f}"/>'
        yield f'<text class="faint" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{times}</text>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _x(share)
        yield f'<text class="faint" x="{x:.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{share:.0%}</text>'


def _curve(name: str, curve: Sequence[float]) -> Iterator[str]:
    kind = "budget" if POLICIES[name] else "textbook"
    points = [(_x(share), _y(times)) for share, times in zip(SHARES, curve, strict=True)]
    yield f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
    for (x, y), times in zip(points, curve, strict=True):
        yield f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{times:.2f}</title></circle>'
    x, y = points[-2]
    yield f'<text x="{x - 12:.1f}" y="{y - 8:.1f}" text-anchor="end">{name}: {curve[-1]:.2f} at 100%</text>'


def table(curves: Curves) -> str:
    """The curves as a table of the documents."""
    head = ["of the requests fail", *(f"{share:.0%}" for share in SHARES)]
    rows = [[name, *(f"{times:.2f}" for times in curve)] for name, curve in curves.items()]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, print, and fail where the budget does not keep its bound."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--write-docs", action="store_true", help="write the picture and the numbers in docs/pictures"
    )
    options = parser.parse_args()
    curves = asyncio.run(measured())
    print(table(curves))
    if options.write_docs:
        (_DOCS / "amplification.svg").write_text(drawn(curves))
        numbers = {"shares": SHARES, "runs": RUNS, "requests_per_run": curves}
        (_DOCS / "amplification.json").write_text(json.dumps(numbers, indent=2) + "\n")
    worst = max(times for name, curve in curves.items() if POLICIES[name] for times in curve)
    if worst > BOUND:
        raise SystemExit(f"with a budget the upstream got {worst:.2f} requests a run, more than {BOUND}")


if __name__ == "__main__":
    main()
