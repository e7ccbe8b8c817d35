"""What is printed is what the document says."""

from benchmarks.document import document
from benchmarks.report import render_rows, render_table
from tests.unit.benchmarks.results import RESULT


def test_a_table_has_absolute_numbers_ratios_notes_and_who_is_absent() -> None:
    (table,) = document([RESULT], rounds=1, seed=1)["tables"]
    assert [line.split() for line in render_table(table).splitlines()] == [
        [],
        ["P1", "some", "calls"],
        ["CPU", "us/call", "to", "bare", "loop"],
        ["bare", "loop", "2.00", "1.00"],
        ["fast", "path", "8.00", "4.00"],
        ["fastotel", "NOT", "MEASURED:", "not", "installed"],
        ["every", "span", "arrived"],
    ]


def test_every_target_is_a_row_with_bound_goal_and_verdict() -> None:
    found = document([RESULT], rounds=1, seed=1)
    printed = render_rows(found)
    assert all(row["claim"] in printed for row in found["rows"])
    (bare,) = (line for line in printed.splitlines() if "the same, to the bare loop" in line)
    assert bare.split()[7:] == ["4.00", "3.50", "..", "4.50", "at", "most", "7.00", "4.00", "PASS,", "GOAL"]
    (lost,) = (line for line in printed.splitlines() if "10,000 asleep at once: spans neither" in line)
    assert lost.endswith("0.00                     at most  0.00   0.00  PASS, GOAL (required)")


def test_samples_can_be_left_out() -> None:
    (table,) = document([RESULT], rounds=1, seed=1, samples=False)["tables"]
    assert "samples" not in table
