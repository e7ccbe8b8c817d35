"""`retryscope worker`: its options, and messages that say what to do."""

import pytest

from retryscope_service import cli
from retryscope_service.settings import Settings

ANY = "0.0.0.0"  # noqa: S104 - refused


@pytest.fixture(autouse=True)
def _shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRYSCOPE_ENGINE_URL", "redis://127.0.0.1:6379/0")


def test_its_options(worked: list[Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """A port of its own, beside that of an API."""
    assert cli.main(["worker"]) == 0
    assert cli.main(["worker", "--port", "9001", "--host", "127.0.0.2", "--concurrency", "7"]) == 0
    first, second = worked
    assert (first.host, first.worker_port, first.port, first.worker_concurrency) == (
        "127.0.0.1",
        8081,
        8080,
        100,
    )
    assert (second.host, second.worker_port, second.worker_concurrency) == ("127.0.0.2", 9001, 7)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "Retryscope worker; /metrics and /health on http://127.0.0.1:8081"


def test_needs_a_shared_engine(
    worked: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody could hand it a run."""
    monkeypatch.delenv("RETRYSCOPE_ENGINE_URL")
    assert cli.main(["worker"]) == 2
    assert worked == []
    assert "RETRYSCOPE_ENGINE_URL" in capsys.readouterr().err


def test_refuses_an_address_that_others_can_reach(
    worked: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """As the API does."""
    assert cli.main(["worker", "--host", ANY]) == 2
    assert worked == []


@pytest.mark.parametrize("number", ["0", "-1", "10001"])
def test_a_wrong_concurrency_is_named(
    number: str, worked: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """With its option."""
    assert cli.main(["worker", "--concurrency", number]) == 2
    assert worked == []
    assert "--concurrency" in capsys.readouterr().err


def test_has_no_option_without_a_worker(worked: list[Settings]) -> None:
    """That is the API's."""
    with pytest.raises(SystemExit):
        cli.main(["worker", "--no-worker"])
