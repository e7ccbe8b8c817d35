"""`retryscope load`: its options. What it does is in tests/integration/test_load.py."""

import os
from pathlib import Path

import pytest

from retryscope_service import cli
from retryscope_service.load.scenarios import SCENARIOS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "0"], "argument --rate: 0 is out of bounds: above 0, at most 10000"),
        (["--rate", "10001"], "argument --rate"),
        (["--duration", "soon"], "argument --duration: 'soon' is no duration"),
        (["--duration", "3", "--forever"], "not allowed with argument --duration"),
        (["--scenario", "dance"], "argument --scenario: invalid choice: 'dance'"),
        (["--mix", "retry=-1"], "argument --mix: weight of retry: -1 is out of bounds"),
        (["--background", "1.5"], "argument --background"),
        (
            ["--max-in-flight", "0"],
            "argument --max-in-flight: 0 is out of bounds: at least 1, at most 100000",
        ),
        (["--time-scale", "11"], "argument --time-scale"),
        (["--timeout", "0"], "argument --timeout"),
        (["--seed", "-1"], "argument --seed"),
        (["--arrivals", "sometimes"], "argument --arrivals"),
        (["--max-failure-ratio", "2"], "argument --max-failure-ratio"),
        (["--max-p99", "-1"], "argument --max-p99"),
        (["--url", "ftp://127.0.0.1"], "argument --url: 'ftp://127.0.0.1' is no base URL"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, before anything is sent."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["load", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_help_explains_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["load", "--help"])
    out = capsys.readouterr().out
    for name, scenario in SCENARIOS.items():
        line = next(line for line in out.splitlines() if line.startswith(f"  {name} "))
        assert (scenario.alert or "no alert") in line
        assert scenario.summary in line


def test_a_wrong_setting_of_the_token_is_named_but_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", "too-short")
    assert cli.main(["load"]) == 2
    err = capsys.readouterr().err
    assert "RETRYSCOPE_API_TOKEN" in err
    assert "too-short" not in err


@pytest.mark.parametrize("name", ["", ".", "nowhere/report.json"])
def test_a_report_that_cannot_be_written_is_refused_before_the_load(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may run for hours; here nothing even answers at the address."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["load", "--url", "http://127.0.0.1:9", "--json", name]) == 2
    assert f"can't write the report to {name!r} (--json)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, ".", "/dev/full", "nothing/there.json"])
def test_a_report_that_can_not_be_written_is_refused_before_the_load(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be lost after hours."""
    assert cli.main(["load", "--json", name]) == 2
    assert "can't write the report to" in capsys.readouterr().err


def test_a_report_to_a_pipe_is_refused_before_the_load(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert cli.main(["load", "--json", str(tmp_path / "pipe")]) == 2
    assert "can't write the report to" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--duration", "--rate", "--seed", "--max-in-flight", "--mix"])
def test_numbers_of_thousands_of_digits_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = f"retry={'9' * 5000}" if option == "--mix" else "9" * 5000
    with pytest.raises(SystemExit) as ended:
        cli.main(["load", option, value])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert f"argument {option}" in err
    assert "set_int_max_str_digits" not in err
