"""Which event loop: uvloop where it is installed, unless another one is asked for."""

import argparse
import asyncio
import sys

import pytest
import uvloop

from retryscope_service import cli
from retryscope_service.cli.configuration import read_settings
from retryscope_service.cli.event_loop import add_loop, loop_factory, run_on
from retryscope_service.cli.output import CommandError
from retryscope_service.settings import Settings


def runs_on_uvloop(choice: str) -> bool:
    found: list[bool] = []

    async def main() -> None:
        found.append(isinstance(asyncio.get_running_loop(), uvloop.Loop))

    run_on(loop_factory(choice), main())
    return found[0]


@pytest.mark.parametrize(("choice", "expected"), [("auto", True), ("uvloop", True), ("asyncio", False)])
def test_auto_takes_uvloop_where_it_is_installed(choice: str, expected: bool) -> None:
    """As here."""
    assert runs_on_uvloop(choice) is expected


def test_where_it_is_missing_auto_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert not runs_on_uvloop("auto")


def test_where_it_is_missing_and_asked_for_the_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another loop than the one that was asked for would go unnoticed."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(CommandError) as refused:
        loop_factory("uvloop")
    message = str(refused.value)
    for named in ("RETRYSCOPE_LOOP, --loop", "pip install 'retryscope-service[uvloop]'", "'auto'"):
        assert named in message


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_command_refuses_before_it_starts_anything(
    command: str,
    served: list[Settings],
    worked: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the status of wrong usage."""
    monkeypatch.setenv("RETRYSCOPE_ENGINE_URL", "redis://127.0.0.1:6379/0")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert cli.main([command, "--loop", "uvloop"]) == 2
    assert (served, worked) == ([], [])
    assert "retryscope-service[uvloop]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_loop_that_there_is_none_of_is_named(
    command: str, served: list[Settings], worked: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """With its option and its variable."""
    assert cli.main([command, "--loop", "trio"]) == 2
    assert (served, worked) == ([], [])
    assert "RETRYSCOPE_LOOP, --loop) is 'trio'" in capsys.readouterr().err


def test_the_option_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As all of them do."""
    monkeypatch.setenv("RETRYSCOPE_LOOP", "uvloop")
    parser = argparse.ArgumentParser()
    add_loop(parser)
    assert read_settings(parser.parse_args([])).loop == "uvloop"
    assert read_settings(parser.parse_args(["--loop", "asyncio"])).loop == "asyncio"
