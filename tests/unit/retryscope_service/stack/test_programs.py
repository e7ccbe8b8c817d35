"""The programs of a stack, on the PATH."""

from pathlib import Path

import pytest

from retryscope_service.stack.errors import StackError
from retryscope_service.stack.programs import Programs


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch(0o755)


@pytest.mark.parametrize("alertmanager", ["prometheus-alertmanager", "alertmanager"])
def test_are_found_by_debians_name_and_by_their_own(alertmanager: str, path: Path) -> None:
    add(path, "prometheus", alertmanager)
    assert Programs.find() == Programs(path / "prometheus", path / alertmanager)


@pytest.mark.parametrize(
    ("there", "packages"),
    [
        ([], "prometheus prometheus-alertmanager"),
        (["prometheus"], "prometheus-alertmanager"),
        (["alertmanager"], "prometheus"),
    ],
)
def test_what_is_missing_is_named_with_its_package(there: list[str], packages: str, path: Path) -> None:
    add(path, *there)
    with pytest.raises(StackError) as raised:
        Programs.find()
    assert str(raised.value).endswith(f"apt-get install {packages}")
