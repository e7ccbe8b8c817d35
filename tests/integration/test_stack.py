"""`retryscope stack`: the real Prometheus and Alertmanager, started, watched and ended."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import yaml

from retryscope_service.resources import resource
from retryscope_service.signals import REPEAT_SECONDS
from retryscope_service.slo.definition import PACKAGED
from tests.integration.conftest import StartService
from tests.support.command import Command, run_in_vain, running_command
from tests.support.otlp_receiver import reserved_port
from tests.support.polling import LIMIT, wait_until
from tests.support.process import COMMAND, Ended, Service, environment
from tests.support.prometheus import PrometheusApi

TOKEN = "of-these-tests-0123456789"  # noqa: S105
StartStack = Callable[..., Command]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.fixture(autouse=True)
def _programs(system_tool: Callable[[str], Path]) -> None:
    for program in ("prometheus", "prometheus-alertmanager"):
        system_tool(program)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where a stack puts its temporary folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def start_stack(tmp_path: Path, temporary: Path) -> Iterator[StartStack]:
    """Start a stack on a service, on free ports, and wait until it is ready."""
    with ExitStack() as stack:

        def start(service: Service, *options: str, **variables: str) -> Command:
            command = stack.enter_context(
                running_command(
                    tmp_path / "stack",
                    "stack",
                    f"--url=http://127.0.0.1:{service.port}",
                    "--prometheus-port=0",
                    "--alertmanager-port=0",
                    *options,
                    TMPDIR=str(temporary),
                    **variables,
                )
            )
            command.wait_for("Try, in another terminal")
            return command

        yield start


def prometheus_of(stack: Command) -> PrometheusApi:
    return PrometheusApi(int(stack.wait_for(r"http://127\.0\.0\.1:(\d+)/graph")[1]))


def programs_of(stack: Command) -> dict[str, int]:
    """The processes that a stack has started, by name."""
    pid = stack.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{child}/comm").read_text().strip()[:15]: int(child) for child in children}


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def fail_to_start(tmp_path: Path) -> Callable[..., Ended]:
    """Run a stack that must end by itself, with options, and environment variables as keyword arguments."""
    return partial(run_in_vain, tmp_path / "failed", "stack")


def test_watches_the_service_and_ends_with_everything_it_started(
    service: Service, start_stack: StartStack, temporary: Path
) -> None:
    """It says where everything is; at the end nothing is left, no process and no file."""
    stack = start_stack(service)
    prometheus = prometheus_of(stack)
    wait_until(lambda: prometheus.query('up{job="retryscope"} == 1', "instance"), "the service is scraped")
    programs = programs_of(stack)
    assert programs.keys() == {"prometheus", "prometheus-aler"}
    assert re.search(r"http://127\.0\.0\.1:\d+/#/alerts", stack.stderr)
    assert f"http://127.0.0.1:{service.port}/alerts" in stack.stderr
    assert f"retryscope load --url http://127.0.0.1:{service.port} --scenario failures" in stack.stderr
    assert stack.end(signal.SIGINT) == 0
    assert all(is_gone(pid) for pid in programs.values())
    assert list(temporary.iterdir()) == []


def annotations_of(prometheus: PrometheusApi) -> list[dict[str, str]]:
    """Those of each alert."""
    loaded = prometheus.api("rules")["groups"]
    return [rule["annotations"] for group in loaded for rule in group["rules"] if rule["type"] == "alerting"]


def test_its_rules_are_the_shipped_ones(service: Service, start_stack: StartStack) -> None:
    """Their links lead to dashboards in the Grafana that is named."""
    prometheus = prometheus_of(start_stack(service, "--grafana-url=https://127.0.0.1:3001/grafana/"))
    wanted = yaml.safe_load((resource("deploy/prometheus/rules") / "retryscope.yml").read_text())
    names = {rule.get("alert") or rule["record"] for group in wanted["groups"] for rule in group["rules"]}
    loaded = prometheus.api("rules")["groups"]
    assert {rule["name"] for group in loaded for rule in group["rules"]} == names
    links = {annotations["dashboard_url"] for annotations in annotations_of(prometheus)}
    assert {link.partition("/d/")[0] for link in links} == {"https://127.0.0.1:3001/grafana"}


def test_its_alerts_lead_to_the_runbook_of_the_service(service: Service, start_stack: StartStack) -> None:
    """Wherever that listens; it serves the runbook itself. Where no Grafana runs, no link leads to one."""
    found = annotations_of(prometheus_of(start_stack(service)))
    links = {annotations["runbook_url"].partition("#")[0] for annotations in found}
    assert links == {f"http://127.0.0.1:{service.port}/docs/runbook"}
    assert not [annotations for annotations in found if "dashboard_url" in annotations]


def test_rules_of_ones_own_on_a_faster_clock(
    service: Service, start_stack: StartStack, tmp_path: Path
) -> None:
    slo = tmp_path / "slo.yml"
    definition = yaml.safe_load(PACKAGED.read_text())
    definition["alerts"]["Stalled"]["for"] = "1000s"
    slo.write_text(yaml.safe_dump(definition))
    prometheus = prometheus_of(start_stack(service, f"--slo={slo}", "--scale=0.01"))
    loaded = prometheus.api("rules")["groups"]
    held = {rule["name"]: rule.get("duration") for group in loaded for rule in group["rules"]}
    assert held["Stalled"] == 10.0
    assert held["ServiceDown"] == 2.0  # four scrapes, not 1.2 s
    links = {annotations["dashboard_url"] for annotations in annotations_of(prometheus)}
    assert {link.partition("/d/")[0] for link in links} == {definition["grafana_url"]}


def test_what_it_writes_is_for_its_user_only(
    start_service: StartService, start_stack: StartStack, temporary: Path
) -> None:
    """The API token is in it, though not in the environment of what it starts."""
    stack = start_stack(start_service(RETRYSCOPE_API_TOKEN=TOKEN), RETRYSCOPE_API_TOKEN=TOKEN)
    (folder,) = temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    holding = [each for each in folder.iterdir() if each.is_file() and TOKEN in each.read_text()]
    assert [each.name for each in holding] == ["token"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.glob("*.yml")} == {0o600}
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    for pid in programs_of(stack).values():
        assert TOKEN.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert TOKEN.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert TOKEN not in stack.stdout + stack.stderr


def test_keeps_data_where_it_is_told(service: Service, start_stack: StartStack, tmp_path: Path) -> None:
    stack = start_stack(service, f"--data={tmp_path / 'kept' / 'data'}")
    assert stack.end() == 0
    kept = {each.name for each in (tmp_path / "kept" / "data").iterdir()}
    assert kept == {"prometheus", "alertmanager", ".lock"}
    assert (tmp_path / "kept" / "data" / "prometheus" / "wal").is_dir()


def test_two_stacks_never_write_to_one_folder(
    service: Service, start_stack: StartStack, fail_to_start: Callable[..., Ended], tmp_path: Path
) -> None:
    """The second one says so; once the first has ended it may have the folder."""
    stack = start_stack(service, f"--data={tmp_path}")
    options = (f"--url=http://127.0.0.1:{service.port}", "--prometheus-port=0", "--alertmanager-port=0")
    ended = fail_to_start(*options, f"--data={tmp_path}")
    assert ended.status == 2
    assert ended.stderr == (
        f"retryscope: another stack keeps its data in {tmp_path} (--data): end it, or name another folder\n"
    )
    assert stack.end() == 0
    assert start_stack(service, f"--data={tmp_path}").end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_while_it_starts_it_leaves_nothing_behind(
    number: signal.Signals, start_service: StartService, tmp_path: Path, temporary: Path
) -> None:
    """The token is on the disk by then; the programs never get ready, so that it goes on starting."""
    service = start_service(RETRYSCOPE_API_TOKEN=TOKEN)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("prometheus", "prometheus-alertmanager"):
        program = programs / name
        program.write_text(f"#!/bin/sh\n: > {tmp_path}/{name}.started\nexec sleep 1000\n")
        program.chmod(0o755)
    arguments = (f"--url=http://127.0.0.1:{service.port}", "--prometheus-port=0", "--alertmanager-port=0")
    variables = {"TMPDIR": str(temporary), "PATH": f"{programs}:{os.environ['PATH']}"}
    with running_command(
        tmp_path / "stack", "stack", *arguments, RETRYSCOPE_API_TOKEN=TOKEN, **variables
    ) as stack:
        wait_until(lambda: len(list(tmp_path.glob("*.started"))) == 2, "both programs have been started")
        assert [each.read_text() for each in temporary.glob("*/token")] == [TOKEN]
        stack.signal(number)
        assert stack.wait() == 0
        assert (stack.stdout, stack.stderr) == ("", "")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ("0", r"can't make a temporary folder: .*"),
        ("1", r"can't write \S+/(?:prometheus|alertmanager|rules)\.yml: File too large"),
    ],
)
def test_without_room_for_its_files_it_says_so(
    blocks: str, said: str, service: Service, temporary: Path
) -> None:
    """No file may be larger than so many blocks."""
    limited = f'ulimit -f {blocks} && exec "$0" "$@"'
    options = (f"--url=http://127.0.0.1:{service.port}", "--prometheus-port=0", "--alertmanager-port=0")
    ended = subprocess.run(
        ["/bin/sh", "-c", limited, str(COMMAND), "stack", *options],
        env=environment(TMPDIR=str(temporary), PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    remedy = "set TMPDIR to a folder that can be written to and has room"
    assert re.fullmatch(f"retryscope: {said}; {remedy}\n", ended.stderr), ended.stderr
    assert (ended.returncode, ended.stdout) == (2, "")
    assert list(temporary.iterdir()) == []


def test_a_program_that_cannot_be_started_is_named(
    service: Service, tmp_path: Path, temporary: Path, fail_to_start: Callable[..., Ended]
) -> None:
    """Something else of the same name, for example."""
    program = tmp_path / "prometheus"
    program.write_text("no program")
    program.chmod(0o755)
    ended = fail_to_start(
        f"--url=http://127.0.0.1:{service.port}",
        "--prometheus-port=0",
        "--alertmanager-port=0",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        TMPDIR=str(temporary),
    )
    assert ended.status == 2
    assert ended.stderr == f"retryscope: can't start Prometheus, {program}: Exec format error\n"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "name"), [("prometheus", "Prometheus"), ("prometheus-aler", "Alertmanager")]
)
def test_says_which_one_died_and_ends(
    program: str, name: str, service: Service, start_stack: StartStack
) -> None:
    stack = start_stack(service)
    programs = programs_of(stack)
    os.kill(programs[program], signal.SIGKILL)
    assert stack.wait() == 1
    assert f"retryscope: {name} ended with status -9; it said last:\n" in stack.stderr
    assert all(is_gone(pid) for pid in programs.values())


def test_nothing_survives_when_it_is_killed(service: Service, start_stack: StartStack) -> None:
    """The kernel ends what it has started."""
    stack = start_stack(service)
    programs = programs_of(stack)
    assert len(programs) == 2
    stack.kill()
    try:
        for name, pid in programs.items():
            wait_until(partial(is_gone, pid), f"{name} is gone")
    finally:  # should that fail, nobody else would end them
        for pid in programs.values():
            if not is_gone(pid):
                os.kill(pid, signal.SIGKILL)


def test_a_second_ctrl_c_kills_what_does_not_end(
    service: Service, start_stack: StartStack, tmp_path: Path
) -> None:
    """Which would otherwise have an hour: it is ten seconds, after which it would be killed anyway."""
    (tmp_path / "sitecustomize.py").write_text(
        "from retryscope_service.stack import program\nprogram.END_SECONDS = 3600.0\n"
    )
    stack = start_stack(service, PYTHONPATH=str(tmp_path))
    programs = programs_of(stack)
    os.kill(programs["prometheus"], signal.SIGSTOP)  # so it can't end in good order
    stack.signal(signal.SIGINT)
    wait_until(lambda: is_gone(programs["prometheus-aler"]) or None, "the other one has ended")
    time.sleep(REPEAT_SECONDS)
    stack.signal(signal.SIGINT)
    stack.wait()
    assert all(is_gone(pid) for pid in programs.values())


def test_a_configuration_that_prometheus_refuses_is_shown(
    service: Service, tmp_path: Path, temporary: Path, fail_to_start: Callable[..., Ended]
) -> None:
    """Data of somebody else's in the way, for example."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "prometheus").write_text("no folder")
    ended = fail_to_start(
        f"--url=http://127.0.0.1:{service.port}",
        "--prometheus-port=0",
        "--alertmanager-port=0",
        f"--data={data}",
        TMPDIR=str(temporary),
    )
    assert ended.status == 1
    assert "retryscope: Prometheus ended with status 2; it said last:\n" in ended.stderr
    assert "not a directory" in ended.stderr
    assert list(temporary.iterdir()) == []


def test_without_a_service_it_says_to_start_it(fail_to_start: Callable[..., Ended]) -> None:
    with reserved_port() as port:
        ended = fail_to_start(f"--url=http://127.0.0.1:{port}")
    assert ended.status == 2
    assert "start it with `retryscope serve`" in ended.stderr


def test_with_a_wrong_token_it_says_so(
    start_service: StartService, fail_to_start: Callable[..., Ended]
) -> None:
    service = start_service(RETRYSCOPE_API_TOKEN=TOKEN)
    ended = fail_to_start(f"--url=http://127.0.0.1:{service.port}")
    assert ended.status == 2
    assert "set RETRYSCOPE_API_TOKEN" in ended.stderr


def test_a_port_that_is_taken_is_named(service: Service, fail_to_start: Callable[..., Ended]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = fail_to_start(
            f"--url=http://127.0.0.1:{service.port}", "--prometheus-port=0", f"--alertmanager-port={port}"
        )
    assert ended.status == 2
    assert f"127.0.0.1:{port} (--alertmanager-port)" in ended.stderr


def test_without_the_programs_it_says_what_to_install(
    tmp_path: Path, fail_to_start: Callable[..., Ended]
) -> None:
    ended = fail_to_start(PATH=str(tmp_path))
    assert ended.status == 2
    assert "apt-get install prometheus prometheus-alertmanager" in ended.stderr
