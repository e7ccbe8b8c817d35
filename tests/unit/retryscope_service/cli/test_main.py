"""The command itself: its commands, its usage, what it needs."""

import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from retryscope_service import cli
from retryscope_service.settings import Settings


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


@pytest.mark.parametrize("arguments", [["serve", "--po", "8080"], ["load", "--dur", "1"], ["--vers"]])
def test_an_abbreviated_option_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], served: list[Settings]
) -> None:
    """What it means would depend on the options that a later version has."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert arguments[-1 if len(arguments) == 1 else 1] in capsys.readouterr().err
    assert served == []


def test_ctrl_c_while_it_starts_ends_it_without_a_traceback() -> None:
    """Most of the first half second is imports; here the interrupt comes in the middle of them."""
    code = (
        "import signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'retryscope_service.cli.serve': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from retryscope_service.cli import main\n"
        "sys.exit(main(['--help']))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


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
    listed = re.findall(r"^    (\w+) ", capsys.readouterr().out, flags=re.MULTILINE)
    assert listed == ["serve", "worker", "upstream", "load", "drill", "stack", "rules"]
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "address to listen on (RETRYSCOPE_HOST, default 127.0.0.1)" in out
    assert "port to listen on, 0 for a free one (RETRYSCOPE_PORT, default 8080)" in out


@pytest.mark.parametrize(
    ("program", "unneeded"),
    [
        (
            "import retryscope_service.cli.command; retryscope_service.cli.command._parser()",
            {"aiohttp", "docket", "pydantic", "rich", "yaml"},
        ),
        ("import retryscope_service.process", {"rich"}),  # the definition of the alerts is YAML
    ],
)
def test_a_command_starts_without_what_only_others_need(program: str, unneeded: set[str]) -> None:
    """The help, and above all the service, would start later."""
    code = f"{program}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert unneeded.isdisjoint(done.stdout.split())
