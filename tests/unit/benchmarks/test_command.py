"""The command measures what it is asked to, prints and writes it, and fails where it has to."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from benchmarks import __main__ as command
from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.result import Column, Result
from benchmarks.rounds import Rounds
from benchmarks.targets import TARGETS


@pytest.fixture(autouse=True)
def no_peers_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "install", lambda: None)


def result(lean: float) -> Result:
    return Result(
        title="a title",
        variants=("ours",),
        columns=(Column("cpu", "s"),),
        rounds=Rounds([{"ours": {"cpu": 1.0}}]),
        findings={"P1/tenacity": Finding(5.0), "P1/lean": Finding(lean, 0.1, 1.1)},
    )


@pytest.mark.parametrize(("measured", "status"), [(0.7, 0), (0.9, 1)])
def test_only_a_required_target_that_is_missed_fails_the_command(
    measured: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The others are facts to be printed; --json has them all."""
    monkeypatch.setattr(command, "MEASUREMENTS", {"P1": [Mock(return_value=result(measured))]})
    file = tmp_path / "results.json"
    assert command.main(["--rounds", "1", "--only", "P1", "--json", str(file)]) == status
    assert "FALL SHORT" in capsys.readouterr().out
    written = json.loads(file.read_text())
    verdicts = {row["key"]: row["verdict"] for row in written["rows"]}
    assert list(verdicts) == [target.key for target in TARGETS]
    assert verdicts.pop("P1/tenacity") == "FALL SHORT"
    assert verdicts.pop("P1/lean") == ("FALL SHORT" if status else "PASS, GOAL")
    assert set(verdicts.values()) == {"NOT MEASURED"}
    assert written["tables"][0]["samples"] == [{"ours": {"cpu": 1.0}}]


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_wrong_number_of_rounds_is_refused(rounds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is measured."""
    with pytest.raises(SystemExit):
        command.main(["--rounds", rounds])
    assert f"must be a whole number >= 1, got '{rounds}'" in capsys.readouterr().err


def test_every_number_of_the_targets_has_a_measurement() -> None:
    assert {target.number for target in TARGETS} == set(command.MEASUREMENTS)
