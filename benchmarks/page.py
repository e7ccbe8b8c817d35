"""The page of the documents: what is between its markers is written from the JSON that stands beside it.

The text around them is written by hand, and stays.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .chart import drawn
from .document import Document

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
BEGIN: Final = "<!-- begin: written by `make bench ARGS=--write-docs` from performance.json -->"
END: Final = "<!-- end -->"


def write_docs(document: Document, docs: Path = DOCS) -> None:
    """Write the numbers, the picture, and what stands between the page's markers."""
    page = docs / "performance.md"
    (docs / "performance.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (docs / "pictures" / "performance.svg").write_text(drawn(document))
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{written(document)}\n{END}{after}")


def written(document: Document) -> str:
    """What stands between the markers."""
    return "\n".join([*_machine(document), "", *_rows(document), *_tables(document)]) + "\n"


def _machine(document: Document) -> Iterator[str]:
    if document["machine"] is None:
        yield "Nothing has been measured yet: `make bench ARGS=--write-docs` fills this in."
        return
    facts = ", ".join(f"{name} {value}" for name, value in document["machine"].items())
    yield (
        f"Measured on {document['measured']}, {document['rounds']} rounds, seed {document['seed']}: {facts}."
    )


def _rows(document: Document) -> Iterator[str]:
    yield "| # | what | measured | quartiles | bound | goal | verdict |"
    yield "|---|---|---|---|---|---|---|"
    for row in document["rows"]:
        value = "" if row["value"] is None else f"{row['value']:.2f}"
        spread = "" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        bound = f"{row['sense']} {row['bound']:g}"
        yield (
            f"| {row['number']} | {row['claim']} | {value} | {spread} | {bound} | {row['goal']:g}"
            f" | {row['verdict']} |"
        )


def _tables(document: Document) -> Iterator[str]:
    for table in document["tables"]:
        yield ""
        yield f"### {' '.join(table['title'].split())}"
        yield ""
        if not table["variants"]:
            yield from table["absent"].values()
            continue
        yield f"| | {' | '.join(table['headings'])} |"
        yield "|---" * (1 + len(table["headings"])) + "|"
        for variant, cells in table["variants"].items():
            yield f"| {variant} | {' | '.join(f'{cell:,.2f}' for cell in cells)} |"
        notes = [*table["notes"], *(f"{name}: NOT MEASURED, {why}" for name, why in table["absent"].items())]
        if notes:
            yield ""
            yield from (f"- {note}" for note in notes)
