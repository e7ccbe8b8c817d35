"""Prometheus and Alertmanager with the shipped configuration, against a running service."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import yaml

from retryscope_service.load.client import LoadClient, UnusableAddressError
from retryscope_service.resources import resource
from retryscope_service.signals import on_stop_signals
from retryscope_service.slo.definition import read_definition
from retryscope_service.slo.rules import render_rules
from retryscope_service.stack.configuration import (
    Surroundings,
    alertmanager_configuration,
    prometheus_configuration,
    shortest_window,
)
from retryscope_service.stack.errors import StackError
from retryscope_service.stack.ports import choose_ports
from retryscope_service.stack.program import Program
from retryscope_service.stack.programs import Programs

PROMETHEUS_FILE: Final = "deploy/prometheus/prometheus.yml"
ANOTHER_FOLDER: Final = "set TMPDIR to a folder that can be written to and has room"

RETENTION: Final = "35d"
"""Of kept data: the failure budget is that of 30 days."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How a stack is started.

    Attributes:
        url: Base URL of the service.
        token: Its API token; None: it has none.
        prometheus_port: Port of Prometheus, 0 for a free one.
        alertmanager_port: Port of Alertmanager, 0 for a free one.
        scale: Factor on every window, delay and interval; at most 1.
        slo: SLO definition; None: the shipped one, with its runbook at ``url``.
        grafana_url: Base URL of the Grafana that alerts link to; None: that of one's own definition.
        data: Where data is kept; None: it is thrown away.
    """

    url: str
    token: str | None
    prometheus_port: int
    alertmanager_port: int
    scale: float
    slo: Path | None
    grafana_url: str | None
    data: Path | None


@dataclass(frozen=True, slots=True)
class StackAddresses:
    """Where a running stack is to be found."""

    service: str
    prometheus: str
    alertmanager: str


async def run_stack(options: StackOptions, on_ready: Callable[[StackAddresses], None]) -> None:
    """Run both until a signal asks it to stop; a second one kills them.

    Args:
        options: How they are started.
        on_ready: Called once both answer.

    Raises:
        StackError: It can't be started as asked.
        ProgramEndedError: One of them ended by itself.
    """
    found = Programs.find()
    await _require_service(options)
    ports = {
        "--prometheus-port": options.prometheus_port,
        "--alertmanager-port": options.alertmanager_port,
    }
    prometheus_port, alertmanager_port = choose_ports(ports)
    running: list[Program] = []
    stop = _end_on_signals(running)  # from here on there are files to leave behind
    with _private_folder() as folder, _data(options, folder) as data:
        prometheus = Program("Prometheus", f"127.0.0.1:{prometheus_port}", folder / "prometheus.log")
        alertmanager = Program("Alertmanager", f"127.0.0.1:{alertmanager_port}", folder / "alertmanager.log")
        here = Surroundings(
            options.url,
            f"127.0.0.1:{prometheus_port}",
            f"127.0.0.1:{alertmanager_port}",
            _write_token(options.token, folder),
            options.scale,
        )
        # Not on the event loop, which is to hear signals meanwhile.
        await asyncio.to_thread(_write_configuration, options, here, folder)
        commands = {
            alertmanager: _alertmanager_command(found, here, alertmanager, folder, data),
            prometheus: _prometheus_command(found, here, prometheus, folder, data),
        }
        try:
            for program, command in commands.items():
                if stop.is_set():
                    return
                running.append(program)
                await program.start(*command)
            await _run(prometheus, alertmanager, stop, options.url, on_ready)
        finally:
            await asyncio.gather(*(program.end() for program in running))


def _alertmanager_command(
    found: Programs, here: Surroundings, program: Program, folder: Path, data: Path
) -> tuple[str | Path, ...]:
    return (
        found.alertmanager,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={data / 'alertmanager'}",
        f"--web.listen-address={here.alertmanager}",
        f"--web.external-url={program.url}",
        "--cluster.listen-address=",  # it would listen on every address of the machine
    )


def _prometheus_command(
    found: Programs, here: Surroundings, program: Program, folder: Path, data: Path
) -> tuple[str | Path, ...]:
    return (
        found.prometheus,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={data / 'prometheus'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address={here.prometheus}",
        f"--web.external-url={program.url}",
        "--enable-feature=exemplar-storage",
    )


async def _run(
    prometheus: Program,
    alertmanager: Program,
    stop: asyncio.Event,
    url: str,
    on_ready: Callable[[StackAddresses], None],
) -> None:
    async def watch() -> None:
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(each.wait_until_ready(session) for each in (prometheus, alertmanager)))
        on_ready(StackAddresses(url, prometheus.url, alertmanager.url))
        await asyncio.gather(prometheus.wait(), alertmanager.wait())

    watching, stopped = asyncio.create_task(watch()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            await watching
    finally:
        for task in (watching, stopped):
            task.cancel()
        await asyncio.gather(watching, stopped, return_exceptions=True)


async def _require_service(options: StackOptions) -> None:
    async with LoadClient.open(options.url, timeout=10, token=options.token) as client:
        try:
            await client.workflows()
        except UnusableAddressError as error:
            raise StackError(str(error)) from None


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A temporary folder that nobody but this user may look into."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="retryscope-stack-")
    except OSError as error:
        raise StackError(f"can't make a temporary folder: {error.strerror}; {ANOTHER_FOLDER}") from None
    with folder as name:
        yield Path(name)


@contextmanager
def _data(options: StackOptions, folder: Path) -> Iterator[Path]:
    """Where the data goes: to a folder that no other stack writes to meanwhile."""
    if options.data is None:
        yield folder
        return
    try:
        options.data.mkdir(parents=True, exist_ok=True)
        lock = (options.data / ".lock").open("a")
    except OSError as error:
        raise StackError(f"can't keep data in {options.data} (--data): {error.strerror}") from None
    with lock:  # the file stays: removed, it could be another one that the next stack locks
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"another stack keeps its data in {options.data} (--data): end it, or name another folder"
            ) from None
        yield options.data.resolve()


def _write_token(token: str | None, folder: Path) -> Path | None:
    if token is None:
        return None
    return _write_private(folder / "token", token)


def _write_configuration(options: StackOptions, here: Surroundings, folder: Path) -> None:
    rules = _write_private(folder / "rules.yml", _rules(options))
    prometheus = prometheus_configuration(_resources(PROMETHEUS_FILE), str(rules), here)
    alertmanager = alertmanager_configuration(_resources("deploy/alertmanager/alertmanager.yml"), here)
    for name, document in (("prometheus.yml", prometheus), ("alertmanager.yml", alertmanager)):
        _write_private(folder / name, yaml.safe_dump(document, sort_keys=False))


def shortest_window_here(scale: float) -> float:
    """Seconds: what no window and no `for` of this stack's rules is shorter than at a scale."""
    return shortest_window(_resources(PROMETHEUS_FILE), scale)


def _rules(options: StackOptions) -> str:
    definition = read_definition(options.slo)
    links: dict[str, str | None] = {}
    if options.slo is None:  # whoever has a definition of their own has runbooks of their own
        links["runbook_url"] = f"{options.url}{urlsplit(definition.runbook_url).path}"
        links["grafana_url"] = None  # that of the compose stack does not run here
    if options.grafana_url is not None:
        links["grafana_url"] = options.grafana_url
    definition = definition.model_copy(update=links)
    floor = shortest_window_here(options.scale)
    return render_rules(definition, scale=options.scale, floor_seconds=floor)


def _resources(name: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = yaml.safe_load(resource(name).read_text(encoding="utf-8"))
    except (FileNotFoundError, yaml.YAMLError) as error:
        raise StackError(f"{name} can't be used: {error}") from None
    return document


def _write_private(path: Path, text: str) -> Path:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StackError(f"can't write {path}: {error.strerror}; {ANOTHER_FOLDER}") from None
    return path


def _end_on_signals(running: list[Program]) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def kill() -> None:
        for program in running:
            program.kill()

    on_stop_signals(lambda _: stop.set(), lambda _: loop.call_soon_threadsafe(kill))
    return stop
