"""Peers that the development lock can't hold are in a folder of their own."""

import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from benchmarks import peers


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / ".peers"
    monkeypatch.setattr(peers, "FOLDER", folder)
    monkeypatch.setattr(peers, "_STAMP", folder / ".stamp")
    return folder


def pip(monkeypatch: pytest.MonkeyPatch, folder: Path, status: int) -> Mock:
    def run(command: tuple[str, ...], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        folder.mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, status)

    called = Mock(side_effect=run)
    monkeypatch.setattr(subprocess, "run", called)
    return called


def test_they_are_installed_once_by_their_lock(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing is resolved, and what they ask for is what the environment has."""
    called = pip(monkeypatch, folder, 0)
    assert not peers.are_installed()
    peers.install()
    peers.install()
    assert peers.are_installed()
    ((command,), _), *others = called.call_args_list
    assert others == []
    assert {"--require-hashes", "--no-deps", str(peers.LOCK), str(folder)} <= set(command)


def test_where_that_fails_they_are_not_there(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """And the measurements go on."""
    pip(monkeypatch, folder, 1)
    peers.install()
    assert not peers.are_installed()


def test_they_come_behind_everything_else(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(sys, "path", ["first"])
    peers.make_importable()
    peers.make_importable()
    assert sys.path == ["first", str(folder)]
