"""`retryscope upstream`: its options, and messages that say what to do."""

from collections.abc import Callable

import pytest

from retryscope_service import cli, process
from retryscope_service.settings import Settings
from retryscope_service.upstream.embedded import UpstreamAddress

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests
ANY = "0.0.0.0"  # noqa: S104 - refused, or not really listened on


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, int]]:
    """The settings and the ports with which it was started; it ends at once."""
    starts: list[tuple[Settings, int]] = []

    async def serve_upstream(
        settings: Settings, port: int, on_ready: Callable[[UpstreamAddress], None]
    ) -> None:
        starts.append((settings, port))
        on_ready(UpstreamAddress(f"http://127.0.0.1:{port}", None if settings.faults_token else "drawn"))

    monkeypatch.setattr(process, "serve_upstream", serve_upstream)
    return starts


def test_listens_where_it_is_told(
    started: list[tuple[Settings, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is for an embedded one too, whose port is free by default."""
    cli.main(["upstream"])
    cli.main(["upstream", "--port", "9002", "--host", "127.0.0.2"])
    cli.main(["upstream", "--port", "0"])
    monkeypatch.setenv("RETRYSCOPE_UPSTREAM_PORT", "9003")
    cli.main(["upstream"])
    assert [port for _, port in started] == [8082, 9002, 0, 9003]
    assert started[1][0].host == "127.0.0.2"


def test_says_how_to_change_the_faults(
    started: list[tuple[Settings, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the token, which nobody else knows."""
    assert cli.main(["upstream"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Retryscope upstream; /job and /metrics on http://127.0.0.1:8082\n"
        "  curl -X PUT --json '{\"error\": 0.3}' -H 'Authorization: Bearer drawn' http://127.0.0.1:8082/faults\n"
    )


@pytest.mark.parametrize("variable", ["RETRYSCOPE_UPSTREAM_TOKEN", "RETRYSCOPE_API_TOKEN"])
def test_listens_for_others_with_a_token_that_is_not_printed(
    variable: str,
    started: list[tuple[Settings, int]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, TOKEN)
    assert cli.main(["upstream", "--host", ANY]) == 0
    assert started[0][0].faults_token == TOKEN
    assert TOKEN not in "".join(capsys.readouterr())


def test_refuses_an_address_that_others_can_reach_without_a_token(
    started: list[tuple[Settings, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["upstream", "--host", ANY]) == 2
    assert started == []
    err = capsys.readouterr().err
    assert "anybody could change its faults" in err
    assert "RETRYSCOPE_UPSTREAM_TOKEN" in err


def test_faults_are_an_option_that_goes_before_the_variable(
    started: list[tuple[Settings, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRYSCOPE_UPSTREAM_FAULTS", '{"error": 1}')
    cli.main(["upstream", "--faults", '{"hang": 1}'])
    assert started[0][0].upstream_faults == '{"hang": 1}'


def test_wrong_faults_end_it_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything listens."""
    assert cli.main(["upstream", "--port", "0", "--faults", '{"error": 1.5}']) == 2
    assert "--faults): error is 1.5: input should be less than or equal to 1." in capsys.readouterr().err


def test_a_wrong_token_is_named_but_not_repeated(
    started: list[tuple[Settings, int]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETRYSCOPE_UPSTREAM_TOKEN", "too-short")
    assert cli.main(["upstream"]) == 2
    err = capsys.readouterr().err
    assert "RETRYSCOPE_UPSTREAM_TOKEN" in err
    assert "too-short" not in err
