"""`retryscope load` against the real service: what it counts, how it ends, what it says."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from retryscope import semconv
from retryscope_service.signals import REPEAT_SECONDS
from tests.integration.conftest import StartService
from tests.support.command import Command, run_in_vain, running_command
from tests.support.otlp_receiver import reserved_port
from tests.support.polling import LIMIT, wait_until
from tests.support.process import COMMAND, Ended, Service, environment

TOKEN = "of-these-tests-0123456789"  # noqa: S105
RUNS = f"{semconv.WORKFLOW_DURATION.name}_count"

StartLoad = Callable[..., Command]


@pytest.fixture
def start_load(tmp_path: Path) -> Iterator[StartLoad]:
    """Start a load on a service, with options, and environment variables as keyword arguments."""
    with ExitStack() as stack:
        names = (tmp_path / f"load-{number}" for number in range(1, 100))

        def start(service: Service, *options: str, **variables: str) -> Command:
            url = f"--url=http://127.0.0.1:{service.port}"
            command = running_command(next(names), "load", url, *options, **variables)
            return stack.enter_context(command)

        yield start


def report_of(command: Command) -> Any:
    """What it reported on standard output, once it has ended."""
    return json.loads(command.stdout)


@pytest.fixture
def fail_to_load(tmp_path: Path) -> Callable[..., Ended]:
    """Run a load that must end by itself, with options, and environment variables as keyword arguments."""
    return partial(run_in_vain, tmp_path / "failed", "load")


def wait_for_runs(service: Service, number: int) -> None:
    """Wait until at least so many runs are in flight."""
    wait_until(lambda: service.runs_in_flight() >= number, f"{number} runs are in flight")


def test_its_numbers_are_those_of_the_service(service: Service, start_load: StartLoad) -> None:
    """Run by run and outcome by outcome, inline ones and background ones."""
    load = start_load(
        service,
        "--mix=retry=3,concurrent=1",
        "--rate=40",
        "--duration=2",
        "--arrivals=constant",
        "--time-scale=0.01",
        "--background=0.3",
        "--seed=2",
        "--json=-",
    )
    assert load.wait() == 0
    report = report_of(load)
    total = report["total"]
    # What a machine that stands still at the end can't send any more, it says.
    assert (total["sent"] + report["client"]["not_sent"], total["not_sent"], total["abandoned"]) == (80, 0, 0)
    accepted = total["outcomes"]["accepted"]
    assert accepted > 0
    wait_until(lambda: service.metric(RUNS) == total["sent"], "the background runs have ended")
    assert service.metric("retryscope_runs_total", state="queued") == accepted
    for workflow, numbers in report["workflows"].items():
        assert service.metric(RUNS, workflow=workflow) == numbers["sent"] > 0
    # Of the runs in the background it never hears what became of them.
    unheard = service.metric("retryscope_runs_total", state="failed")
    assert service.metric(RUNS, outcome="exhausted") - unheard == total["outcomes"]["exhausted"] > 0
    assert total["statuses"]["502"] == total["outcomes"]["exhausted"] == total["failed"]
    assert total["errors"]["http_502"]["first"] == "API temporarily unavailable"
    latency = total["corrected_latency_seconds"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p95"] <= latency["p99"] <= latency["max"]


def test_the_same_seed_gives_the_same_outcomes(service: Service, start_load: StartLoad) -> None:
    def complete() -> Any:
        """A load whose end a busy machine has not cut off."""
        load = start_load(
            service,
            "--scenario=failures",
            "--duration=1",
            "--rate=50",
            "--time-scale=0.01",
            "--seed=7",
            "--json=-",
        )
        assert load.wait() == 0
        report = report_of(load)
        return (
            None if report["client"]["not_sent"] else (report["total"]["sent"], report["total"]["outcomes"])
        )

    first = wait_until(complete, "a load can be sent in full")
    assert first == wait_until(complete, "the same load can be sent in full")
    assert first[1].keys() == {"success", "exhausted"}


@pytest.mark.parametrize(
    ("threshold", "status", "said"),
    [
        ("--max-failure-ratio=0.1", 1, "of the requests failed; --max-failure-ratio is 0.1"),
        ("--max-failure-ratio=0.9", 0, ""),
        ("--max-p99=0.0001", 1, "the 99th percentile is "),
        ("--max-p99=60", 0, ""),
    ],
)
def test_a_broken_threshold_is_an_exit_status(
    threshold: str, status: int, said: str, service: Service, start_load: StartLoad, tmp_path: Path
) -> None:
    """And a line that says which, and it is in the report."""
    file = tmp_path / "report.json"
    options = ("--scenario=failures", "--duration=1", "--rate=50", "--time-scale=0.01", "--seed=7")
    load = start_load(service, *options, threshold, f"--json={file}")
    assert load.wait() == status
    assert said in load.stderr
    broken = json.loads(file.read_text())["broken_thresholds"]
    assert len(broken) == status
    assert re.search(r"^retry +\d+ +\d+ +\d+ ", load.stdout, re.MULTILINE)


def test_the_first_ctrl_c_waits_for_outstanding_answers(service: Service, start_load: StartLoad) -> None:
    load = start_load(
        service, "--mix=sequential", "--rate=20", "--time-scale=0.4", "--forever", "--json=-", "--seed=1"
    )
    wait_for_runs(service, 3)
    assert load.end(signal.SIGINT) == 130
    report = report_of(load)
    assert report["interrupted"] is True
    total = report["total"]
    assert total["abandoned"] == 0
    assert total["succeeded"] == total["sent"] >= 3
    assert "waiting up to 10 s for outstanding answers" in load.stderr


def test_the_second_ctrl_c_ends_it_at_once(service: Service, start_load: StartLoad) -> None:
    """The runs that it has left behind are cancelled: their client is gone.

    The second one is a SIGTERM here: the exit status names the signal only where that has cut the load short.
    """
    load = start_load(service, "--scenario=stalled", "--rate=20", "--json=-")
    wait_for_runs(service, 10)
    load.signal(signal.SIGINT)
    load.wait_for("waiting up to 10 s")
    time.sleep(REPEAT_SECONDS)
    load.signal(signal.SIGTERM)
    assert load.wait() == 128 + signal.SIGTERM
    service.wait_for_runs_in_flight(0)


def test_sigterm_is_a_regular_end(service: Service, start_load: StartLoad) -> None:
    """That is how Compose ends the load that runs forever."""
    load = start_load(service, "--forever", "--rate=20", "--time-scale=0.01", "--seed=1")
    wait_for_runs(service, 1)
    assert load.end(signal.SIGTERM) == 0
    assert "Status: 200 " in load.stdout


def test_a_service_that_dies_is_counted_and_does_not_stop_the_load(
    start_service: StartService, start_load: StartLoad
) -> None:
    service = start_service()
    load = start_load(service, "--mix=sequential", "--rate=50", "--duration=3", "--seed=1", "--json=-")
    wait_for_runs(service, 10)
    service.kill()
    assert load.wait() == 0
    report = report_of(load)
    errors = report["total"]["errors"]
    assert errors["disconnected"]["count"] >= 10
    assert errors["connection_refused"] == {
        "count": report["total"]["failed"] - errors["disconnected"]["count"],
        "first": "connection refused",
    }
    assert errors["connection_refused"]["count"] > 0
    assert report["seconds"] > 2.9


def test_the_token_lets_it_in_and_is_never_shown(start_service: StartService, start_load: StartLoad) -> None:
    service = start_service(RETRYSCOPE_API_TOKEN=TOKEN)
    load = start_load(service, "--duration=1", "--json=-", RETRYSCOPE_API_TOKEN=TOKEN)
    assert load.wait() == 0
    assert report_of(load)["total"]["failed"] == 0
    assert TOKEN not in load.stdout + load.stderr


@pytest.mark.parametrize("token", ["", "another-token-0123456789"])
def test_a_missing_or_wrong_token_is_said_before_anything_is_sent(
    token: str, start_service: StartService, fail_to_load: Callable[..., Ended]
) -> None:
    service = start_service(RETRYSCOPE_API_TOKEN=TOKEN)
    variables = {"RETRYSCOPE_API_TOKEN": token} if token else {}
    ended = fail_to_load(f"--url=http://127.0.0.1:{service.port}", **variables)
    assert ended.status == 2
    assert "set RETRYSCOPE_API_TOKEN as it is set there" in ended.stderr
    assert "another-token" not in ended.stderr


def test_a_service_that_is_not_there_is_said(fail_to_load: Callable[..., Ended]) -> None:
    with reserved_port() as port:
        ended = fail_to_load(f"--url=http://127.0.0.1:{port}")
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"retryscope: no service answers at http://127.0.0.1:{port}: connection refused;"
        " start it with `retryscope serve`, or name its address with --url\n"
    )


def test_a_workflow_that_is_not_there_is_said(service: Service, fail_to_load: Callable[..., Ended]) -> None:
    ended = fail_to_load(f"--url=http://127.0.0.1:{service.port}", "--mix=retry,dance=2")
    assert ended.status == 2
    assert (
        "has no workflow dance; it has sequential, concurrent, cancellation, timeouts, retry" in ended.stderr
    )


def test_a_report_that_cannot_be_written_is_said(
    service: Service, tmp_path: Path, fail_to_load: Callable[..., Ended]
) -> None:
    ended = fail_to_load(
        f"--url=http://127.0.0.1:{service.port}",
        f"--json={tmp_path / 'no' / 'such' / 'folder'}",
        "--duration=0.1",
    )
    assert ended.status == 2
    assert "can't write the report" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_on_a_terminal_it_shows_live_numbers_and_leaves_a_summary(service: Service) -> None:
    """Drawn again and again, then wiped; the cursor is visible again at the end."""
    leader, follower = pty.openpty()
    arguments = ("load", f"--url=http://127.0.0.1:{service.port}", "--duration=2", "--time-scale=0.01")
    with subprocess.Popen(
        [COMMAND, *arguments],
        env=environment(TERM="xterm-256color", COLUMNS="140", LINES="40"),
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        shown = b""
        with suppress(OSError):  # the other end is closed
            while part := os.read(leader, 65536):
                shown += part
        os.close(leader)
        assert process.wait(LIMIT) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    assert len(re.findall(r"\d of 2 s: \d+ sent", text)) >= 4
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    end = text[text.rindex("\x1b[?25h") :]
    assert re.search(r"all +\d+ +\d+ +0 ", end)
    assert "Latency from when a request was due" in end
