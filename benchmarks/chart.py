"""A bar for each target that is a ratio: how it compares with its bound, on a logarithmic scale."""

import math
from collections.abc import Iterator
from html import escape

from .document import Document

_WIDTH = 900
_LEFT = 480
_ROW = 22
_TOP = 50
_SCALE = (_WIDTH - _LEFT - 90) / 2
"""Pixels of a factor of ten, to either side."""
_MIDDLE = _LEFT + _SCALE
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .faint { fill: #57606a } .line { stroke: #8c959f } .good { fill: #2da44e } .bad { fill: #cf7a00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .faint { fill: #9198a1 } .line { stroke: #6e7681 }
    .good { fill: #3fb950 } .bad { fill: #e3a008 }
  }
"""


def drawn(document: Document) -> str:
    """The picture as SVG; it has no background, and is readable on a light and on a dark page."""
    rows = [row for row in document["rows"] if row["bound"]]
    height = _TOP + _ROW * len(rows) + 14
    title = "How what was measured compares with its bound; better is to the right"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style>",
            f'<text x="8" y="18">{title}</text>',
            *_axis(height),
            *(line for place, row in enumerate(rows) for line in _bar(row, _TOP + _ROW * place)),
            "</svg>\n",
        ]
    )


def _axis(height: int) -> Iterator[str]:
    for power, label in ((-1, "10 times worse"), (0, "the bound"), (1, "10 times better")):
        x = _MIDDLE + power * _SCALE
        yield f'<line class="line" x1="{x:.0f}" y1="{_TOP - 6}" x2="{x:.0f}" y2="{height - 10}"/>'
        yield f'<text class="faint" x="{x:.0f}" y="{_TOP - 12}" text-anchor="middle">{label}</text>'


def _bar(row: Document, y: int) -> Iterator[str]:
    yield f'<text x="8" y="{y + 14}">{row["number"]}</text>'
    yield f'<text x="52" y="{y + 14}">{escape(_short(row["claim"]))}</text>'
    if row["value"] is None:
        yield f'<text class="faint" x="{_MIDDLE + 6:.0f}" y="{y + 14}">NOT MEASURED</text>'
        return
    better = _better(row)
    length = better * _SCALE
    kind = "bad" if row["verdict"] == "FALL SHORT" else "good"
    x = _MIDDLE + min(0.0, length)
    yield f'<rect class="{kind}" x="{x:.1f}" y="{y + 4}" width="{abs(length):.1f}" height="{_ROW - 8}"/>'
    yield (
        f'<text x="{_WIDTH - 8}" y="{y + 14}" text-anchor="end">{row["value"]:.2f}'
        f"<title>{row['sense']} {row['bound']:g}</title></text>"
    )


def _better(row: Document) -> float:
    """By how many powers of ten it is better than its bound; at most one either way is drawn."""
    if row["value"] <= 0:
        return 1.0
    factor = math.log10(row["bound"] / row["value"])
    return max(-1.0, min(1.0, factor if row["sense"] == "at most" else -factor))


def _short(claim: str, most: int = 66) -> str:
    return claim if len(claim) <= most else claim[: most - 1].rstrip() + "…"
