"""`retryscope serve`: its options, and messages that say what to do."""

import pytest

from retryscope_service import cli, process
from retryscope_service.http.listener import AddressInUseError
from retryscope_service.settings import Settings

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests
ANY = "0.0.0.0"  # noqa: S104 - refused, or not really listened on


def test_listens_where_it_is_told(served: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Options go before variables."""
    monkeypatch.setenv("RETRYSCOPE_PORT", "1")
    monkeypatch.setenv("RETRYSCOPE_HOST", "127.0.0.2")
    assert cli.main(["serve", "--port", "9000"]) == 0
    assert (served[0].host, served[0].port) == ("127.0.0.2", 9000)


def test_says_what_to_try(served: list[Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with its own address in each command; standard output is for logs."""
    assert cli.main(["serve"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Retryscope listens on http://127.0.0.1:8080 ")
    assert "  curl -X POST http://127.0.0.1:8080/workflows/retry " in err
    assert """curl --json '{"time_scale": 0.01, "seed": 1}' http://127.0.0.1:8080/workflows/timeouts""" in err


def test_says_how_to_make_the_upstream_fail(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ready to be copied: with the token that was drawn for this start, which nobody knows."""
    assert cli.main(["serve"]) == 0
    assert (
        "  curl -X PUT --json '{\"error\": 0.3}' -H 'Authorization: Bearer drawn-for-this-start'"
        " http://127.0.0.1:4321/faults\n"
    ) in capsys.readouterr().err


@pytest.mark.parametrize("host", [ANY, "::", "192.168.0.1", "example.org"])
def test_refuses_an_address_that_others_can_reach(
    host: str, served: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody could start runs; the message names the ways out."""
    assert cli.main(["serve", "--host", host]) == 2
    assert served == []
    err = capsys.readouterr().err
    assert f"host {host} can be reached from other machines" in err
    assert "RETRYSCOPE_ALLOW_REMOTE=true" in err
    assert "RETRYSCOPE_API_TOKEN" in err


def test_listens_for_others_with_a_token(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is never printed."""
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", TOKEN)
    assert cli.main(["serve", "--host", ANY]) == 0
    assert served[0].host == ANY
    assert TOKEN not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("name", "text"), [("API_TOKEN", "too-short"), ("ENGINE_URL", "http://:too-short@host")]
)
def test_a_wrong_secret_is_named_but_not_repeated(
    name: str,
    text: str,
    served: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Messages end up in logs."""
    monkeypatch.setenv(f"RETRYSCOPE_{name}", text)
    assert cli.main(["serve"]) == 2
    err = capsys.readouterr().err
    assert f"RETRYSCOPE_{name}" in err
    assert "too-short" not in err


def test_with_and_without_a_worker(served: list[Settings], workers: list[bool]) -> None:
    """By default with one."""
    assert cli.main(["serve"]) == 0
    assert cli.main(["serve", "--no-worker"]) == 0
    assert cli.main(["serve", "--concurrency", "7"]) == 0
    assert workers == [True, False, True]
    assert [settings.worker_concurrency for settings in served] == [100, 100, 7]


def test_listens_for_others_when_told_so(served: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Explicitly."""
    monkeypatch.setenv("RETRYSCOPE_ALLOW_REMOTE", "true")
    assert cli.main(["serve", "--host", ANY]) == 0
    assert served[0].host == ANY


@pytest.mark.parametrize(
    ("name", "text", "bound"),
    [
        ("PORT", "65536", "less than or equal to 65535"),
        ("PORT", "http", "valid integer"),
        ("MAX_RUNS_IN_FLIGHT", "0", "greater than or equal to 1"),
        ("MAX_BODY_BYTES", "99999999", "less than or equal to 16777216"),
        ("DRAIN_SECONDS", "nan", "finite number"),
        ("FLUSH_SECONDS", "-1", "greater than or equal to 0"),
        ("MAX_TRACES", "many", "valid integer"),
        ("MAX_SPANS", "0", "greater than or equal to 1"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
        ("ALLOW_REMOTE", "perhaps", "valid boolean"),
    ],
)
def test_a_wrong_variable_is_named_with_value_and_bound(
    name: str,
    text: str,
    bound: str,
    served: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 2, and nothing starts."""
    monkeypatch.setenv(f"RETRYSCOPE_{name}", text)
    assert cli.main(["serve"]) == 2
    assert served == []
    err = capsys.readouterr().err
    assert err.startswith("retryscope: ")
    assert f"RETRYSCOPE_{name}" in err
    assert repr(text) in err
    assert bound in err


def test_only_options_that_exist_are_named(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port can be given as an option, the number of traces only as a variable."""
    monkeypatch.setenv("RETRYSCOPE_MAX_TRACES", "0")
    cli.main(["serve", "--port", "-1"])
    err = capsys.readouterr().err
    assert "--port" in err
    assert "--max" not in err


def test_every_wrong_variable_is_named_at_once(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line each."""
    monkeypatch.setenv("RETRYSCOPE_MAX_TRACES", "0")
    monkeypatch.setenv("RETRYSCOPE_MAX_SPANS", "0")
    assert cli.main(["serve"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_an_address_in_use_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what the service said about it."""

    async def serve(settings: Settings, on_ready: process.OnReady, *, with_worker: bool) -> None:
        raise AddressInUseError("can't listen")

    monkeypatch.setattr(process, "serve", serve)
    assert cli.main(["serve"]) == 2
    assert capsys.readouterr().err == "retryscope: can't listen\n"
