"""What `retryscope load` shows of its numbers."""

import asyncio

import pytest
from rich.cells import cell_len

from retryscope_service.cli.load_display import LoadDisplay
from retryscope_service.load.request import Answer
from retryscope_service.load.tally import LoadNumbers
from tests.unit.retryscope_service.load.stubs import SlowService, load


def summary(numbers: LoadNumbers, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a summary, without those of the text below the tables."""
    generator = load(SlowService())
    generator.numbers = numbers
    display = LoadDisplay(generator, 10.0, on_stderr=False)
    display.summarize()
    asyncio.run(display.written())
    lines = capsys.readouterr().out.splitlines()
    return lines[: next(number for number, line in enumerate(lines) if line.startswith("Latency"))]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is a terminal of 80 columns, without colours."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)


def healthy() -> LoadNumbers:
    numbers = LoadNumbers()
    for workflow in ("cancellation", "timeouts"):
        numbers.sent(workflow)
        numbers.answered(workflow, 0.0, 0.0, Answer(0.25, 200, "success"))
    return numbers


def troubled() -> LoadNumbers:
    """Everything that can become of a request, and numbers of many digits."""
    numbers = LoadNumbers()
    for _ in range(10_000):
        numbers.sent("cancellation")
        numbers.not_sent("cancellation")
    numbers.answered("cancellation", 0.0, 0.0, Answer(123.0, 503, "error", "http_503"))
    numbers.answered("cancellation", 0.0, 0.0, Answer(None))
    numbers.abandoned("cancellation")
    return numbers


def test_what_did_not_happen_has_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.split() for line in summary(healthy(), capsys)] == [
        ["workflow", "sent", "ok", "failed", "p50", "p90", "p95", "p99", "max"],
        ["cancellation", "1", "1", "0", *["250", "ms"] * 5],
        ["timeouts", "1", "1", "0", *["250", "ms"] * 5],
        ["all", "2", "2", "0", *["250", "ms"] * 5],
    ]


def test_one_workflow_is_its_own_sum(capsys: pytest.CaptureFixture[str]) -> None:
    header, only = summary(troubled(), capsys)
    assert " ".join(header.split()) == (
        "workflow sent ok failed hung up not sent abandoned p50 p90 p95 p99 max"
    )
    assert only.startswith("cancellation")


@pytest.mark.usefixtures("terminal")
def test_nothing_is_cut_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """What is too wide for one table is two."""
    lines = summary(troubled(), capsys)
    assert [line.split()[0] for line in lines] == ["workflow", "cancellation"] * 2
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    assert max(cell_len(line) for line in lines) <= 80
    assert lines[1].split() == ["cancellation", "10000", "0", "1", "1", "10000", "1"]
    assert lines[3].split() == ["cancellation", *["unknown"] * 5]


@pytest.mark.usefixtures("terminal")
def test_a_healthy_load_is_one_table_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.split()[0] for line in summary(healthy(), capsys)] == [
        "workflow",
        "cancellation",
        "timeouts",
        "all",
    ]
