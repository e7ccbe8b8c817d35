"""How retries multiply requests: what is printed, drawn, and stands in the documents."""

import json
from xml.etree import ElementTree

from benchmarks.amplification import BOUND, POLICIES, SHARES, drawn, table
from tests.conftest import ROOT

PICTURES = ROOT / "docs" / "pictures"
CURVES = {"textbook": [1, 1.1, 1.3, 2, 3, 4, 5], "with a retry budget": [1, 1.1, 1.1, 1.05, 1.02, 1, 1]}


def test_the_table_has_a_row_for_each_policy() -> None:
    assert table(CURVES).splitlines() == [
        "| of the requests fail | 0% | 10% | 25% | 50% | 75% | 90% | 100% |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| textbook | 1.00 | 1.10 | 1.30 | 2.00 | 3.00 | 4.00 | 5.00 |",
        "| with a retry budget | 1.00 | 1.10 | 1.10 | 1.05 | 1.02 | 1.00 | 1.00 |",
    ]


def test_the_picture_has_a_point_for_each_number() -> None:
    """Each says its number to whoever asks; each curve says what it is."""
    picture = ElementTree.fromstring(drawn(CURVES))  # noqa: S314 - our own
    circles = picture.findall("{*}circle")
    assert [circle.findtext("{*}title") for circle in circles][:3] == ["1.00", "1.10", "1.30"]
    assert len(circles) == len(CURVES) * len(SHARES)
    texts = [text.text for text in picture.findall("{*}text")]
    assert {"textbook: 5.00 at 100%", "with a retry budget: 1.00 at 100%"} <= set(texts)


def test_the_documents_show_what_was_measured() -> None:
    """Table and picture are of the same numbers, and the budget keeps its bound in them."""
    curves = json.loads((PICTURES / "amplification.json").read_text())["requests_per_run"]
    assert (PICTURES / "amplification.svg").read_text() == drawn(curves)
    assert table(curves) in (ROOT / "docs" / "drills.md").read_text()
    assert {name: max(curve) <= BOUND for name, curve in curves.items()} == dict(POLICIES)
