"""The command: its options, and messages that say what to do."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import version

import pytest

from service import cli, process
from service.settings import Settings

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests
ANY = "0.0.0.0"  # noqa: S104 - refused, or not really listened on


@pytest.fixture(autouse=True)
def _the_process_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command configures the logs of the whole process."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETRYSCOPE_{name.upper()}", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    asyncio.set_event_loop(None)


@pytest.fixture
def workers() -> list[bool]:
    """For each start of the service, whether with a worker."""
    return []


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, workers: list[bool]) -> list[Settings]:
    """The settings with which the service was started; it ends at once."""
    started: list[Settings] = []

    async def serve(settings: Settings, on_ready: Callable[[str], None], *, with_worker: bool) -> None:
        started.append(settings)
        workers.append(with_worker)
        on_ready(f"http://{settings.host}:{settings.port}")

    monkeypatch.setattr(process, "serve", serve)
    return started


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which a worker was started; it ends at once."""
    started: list[Settings] = []

    async def work(settings: Settings, on_ready: Callable[[str], None]) -> None:
        started.append(settings)
        on_ready(f"http://{settings.host}:{settings.worker_port}")

    monkeypatch.setattr(process, "work", work)
    return started


class TestServe:
    def test_listens_where_it_is_told(self, served: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
        """Options go before variables."""
        monkeypatch.setenv("RETRYSCOPE_PORT", "1")
        monkeypatch.setenv("RETRYSCOPE_HOST", "127.0.0.2")
        assert cli.main(["serve", "--port", "9000"]) == 0
        assert (served[0].host, served[0].port) == ("127.0.0.2", 9000)

    def test_says_what_to_try(self, served: list[Settings], capsys: pytest.CaptureFixture[str]) -> None:
        """On standard error, with its own address in each command; standard output is for logs."""
        assert cli.main(["serve"]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("Retryscope listens on http://127.0.0.1:8080 ")
        assert "  curl -X POST http://127.0.0.1:8080/workflows/retry " in err
        assert (
            """curl --json '{"time_scale": 0.01, "seed": 1}' http://127.0.0.1:8080/workflows/timeouts"""
            in err
        )

    @pytest.mark.parametrize("host", [ANY, "::", "192.168.0.1", "example.org"])
    def test_refuses_an_address_that_others_can_reach(
        self, host: str, served: list[Settings], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Anybody could start runs; the message names the ways out."""
        assert cli.main(["serve", "--host", host]) == 2
        assert served == []
        err = capsys.readouterr().err
        assert f"host {host} can be reached from other machines" in err
        assert "RETRYSCOPE_ALLOW_REMOTE=true" in err
        assert "RETRYSCOPE_API_TOKEN" in err

    def test_listens_for_others_with_a_token(
        self, served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
        self,
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

    def test_with_and_without_a_worker(self, served: list[Settings], workers: list[bool]) -> None:
        """By default with one."""
        assert cli.main(["serve"]) == 0
        assert cli.main(["serve", "--no-worker"]) == 0
        assert cli.main(["serve", "--concurrency", "7"]) == 0
        assert workers == [True, False, True]
        assert [settings.worker_concurrency for settings in served] == [100, 100, 7]

    def test_listens_for_others_when_told_so(
        self, served: list[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
        self,
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
        self, served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A port can be given as an option, the number of traces only as a variable."""
        monkeypatch.setenv("RETRYSCOPE_MAX_TRACES", "0")
        cli.main(["serve", "--port", "-1"])
        err = capsys.readouterr().err
        assert "--port" in err
        assert "--max" not in err

    def test_every_wrong_variable_is_named_at_once(
        self, served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A line each."""
        monkeypatch.setenv("RETRYSCOPE_MAX_TRACES", "0")
        monkeypatch.setenv("RETRYSCOPE_MAX_SPANS", "0")
        assert cli.main(["serve"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 2

    def test_an_address_in_use_is_told_without_a_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With what the service said about it."""

        async def serve(settings: Settings, on_ready: Callable[[str], None], *, with_worker: bool) -> None:
            raise process.AddressInUseError("can't listen")

        monkeypatch.setattr(process, "serve", serve)
        assert cli.main(["serve"]) == 2
        assert capsys.readouterr().err == "retryscope: can't listen\n"


class TestWorker:
    @pytest.fixture(autouse=True)
    def _shared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RETRYSCOPE_ENGINE_URL", "redis://127.0.0.1:6379/0")

    def test_its_options(self, worked: list[Settings], capsys: pytest.CaptureFixture[str]) -> None:
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
        self, worked: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nobody could hand it a run."""
        monkeypatch.delenv("RETRYSCOPE_ENGINE_URL")
        assert cli.main(["worker"]) == 2
        assert worked == []
        assert "RETRYSCOPE_ENGINE_URL" in capsys.readouterr().err

    def test_refuses_an_address_that_others_can_reach(
        self, worked: list[Settings], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As the API does."""
        assert cli.main(["worker", "--host", ANY]) == 2
        assert worked == []

    @pytest.mark.parametrize("number", ["0", "-1", "10001"])
    def test_a_wrong_concurrency_is_named(
        self, number: str, worked: list[Settings], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With its option."""
        assert cli.main(["worker", "--concurrency", number]) == 2
        assert worked == []
        assert "--concurrency" in capsys.readouterr().err

    def test_has_no_option_without_a_worker(self, worked: list[Settings]) -> None:
        """That is the API's."""
        with pytest.raises(SystemExit):
            cli.main(["worker", "--no-worker"])


@pytest.mark.parametrize(
    "arguments", [[], ["serve", "--nothing"], ["dance"], ["serve", "--port", "eighty"], ["serve", "extra"]]
)
def test_wrong_arguments_show_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str], served: list[Settings]
) -> None:
    """Exit status 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: retryscope" in capsys.readouterr().err
    assert served == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """That of the installed package."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"retryscope {version('retryscope')}\n"


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Names the commands; that of a command its options with their variables and defaults."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "serve" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "address to listen on (RETRYSCOPE_HOST, default 127.0.0.1)" in out
    assert "port to listen on, 0 for a free one (RETRYSCOPE_PORT, default 8080)" in out


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Naming what is missing."""
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "pydantic_settings" else object())
    assert cli.main(["serve"]) == 2
    assert capsys.readouterr().err == (
        "retryscope: pydantic_settings not installed; install the service with:"
        " pip install 'retryscope[service]'\n"
    )
