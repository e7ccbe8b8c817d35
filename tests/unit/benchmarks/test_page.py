"""The page of the documents says what the JSON beside it says, and has every target."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.chart import drawn
from benchmarks.document import Document, document
from benchmarks.page import BEGIN, DOCS, END, write_docs, written
from benchmarks.targets import TARGETS
from tests.unit.benchmarks.results import RESULT

NOTHING: Document = document([], rounds=9, seed=1)
SOMETHING: Document = document([RESULT], rounds=9, seed=1)


def test_the_page_and_the_picture_are_what_the_json_beside_them_says() -> None:
    """Nobody has changed a number by hand."""
    found = json.loads((DOCS / "performance.json").read_text())
    between = (DOCS / "performance.md").read_text().partition(BEGIN)[2].partition(END)[0]
    assert between.strip() == written(found).strip()
    assert (DOCS / "pictures" / "performance.svg").read_text() == drawn(found)


def test_every_target_is_on_the_page_with_its_bound_and_its_goal() -> None:
    """As the table of targets has it today; the verdict is that of what was measured."""
    page = (DOCS / "performance.md").read_text().splitlines()
    for target in TARGETS:
        (row,) = (line for line in page if line.startswith(f"| {target.number} | {target.claim} |"))
        assert f"| {target.sense} {target.bound:g} | {target.goal:g} |" in row


def test_what_is_not_measured_says_so() -> None:
    """And no number stands there."""
    rows = [line for line in written(NOTHING).splitlines() if line.startswith("| P")]
    assert rows
    assert all(line.split(" | ")[2:4] == ["", ""] and line.endswith("| NOT MEASURED |") for line in rows)
    assert "NOT MEASURED" in drawn(NOTHING)


def test_what_is_measured_has_its_row_its_table_and_its_machine() -> None:
    text = written(SOMETHING)
    assert "| P1 | the same, to the bare loop | 4.00 | 3.50 to 4.50 | at most 7 | 4 | PASS, GOAL |" in text
    assert (
        "### P1 some calls\n\n| | CPU us/call | to bare loop |\n|---|---|---|\n| bare loop | 2.00 |" in text
    )
    assert "- every span arrived\n- fastotel: NOT MEASURED, not installed\n" in text
    assert "9 rounds, seed 1: processor " in text


def test_the_text_around_the_markers_stays(tmp_path: Path) -> None:
    """It is written by hand."""
    (tmp_path / "pictures").mkdir()
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter\n")
    write_docs(SOMETHING, tmp_path)
    assert page.read_text() == f"# Before\n\n{BEGIN}\n\n{written(SOMETHING)}\n{END}\n\nAfter\n"
    assert json.loads((tmp_path / "performance.json").read_text()) == SOMETHING


@pytest.mark.parametrize("found", [NOTHING, SOMETHING], ids=["nothing measured", "something measured"])
def test_the_picture_is_an_svg_with_a_row_for_each_ratio(found: Document) -> None:
    """It says in words what a bar shows."""
    root = ET.fromstring(drawn(found))  # noqa: S314 - our own
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in {"P8", "P13"}] == ["P8", "P8", "P13"]
    bars = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    assert len(bars) == sum(row["value"] is not None and row["bound"] > 0 for row in found["rows"])
