"""The document as text for a terminal."""

from collections.abc import Iterator, Mapping

from .document import Document

_LONGEST_NAME = 18


def render_table(table: Mapping[str, Document]) -> str:
    """Absolute medians to show the scale, then the ratios."""
    return "\n".join(_lines(table))


def _lines(table: Mapping[str, Document]) -> Iterator[str]:
    yield ""
    yield str(table["title"])
    yield f"  {'':{_LONGEST_NAME}}" + "".join(f"{heading:>16}" for heading in table["headings"])
    for variant, cells in table["variants"].items():
        yield f"  {variant:{_LONGEST_NAME}}" + "".join(f"{cell:16,.2f}" for cell in cells)
    for variant, why in table["absent"].items():
        yield f"  {variant:{_LONGEST_NAME}}  NOT MEASURED: {why}"
    for note in table["notes"]:
        yield f"  {note}"


def render_rows(document: Document) -> str:
    """Every target with its verdict."""
    rows = document["rows"]
    width = max(len(row["claim"]) for row in rows)
    lines = ["", f"  {'':5} {'':{width}} {'measured':>9} {'quartiles':>17} {'bound':>15} {'goal':>6}"]
    for row in rows:
        value = "" if row["value"] is None else f"{row['value']:.2f}"
        spread = "" if row["low"] is None else f"{row['low']:.2f} .. {row['high']:.2f}"
        must = " (required)" if row["required"] else ""
        lines.append(
            f"  {row['number']:5} {row['claim']:{width}} {value:>9} {spread:>17}"
            f" {row['sense']:>9} {row['bound']:5.2f} {row['goal']:6.2f}  {row['verdict']}{must}"
        )
    return "\n".join(lines)
