"""Output that nobody reads: a full pipe, a terminal stopped with Ctrl-S. The service answers, and ends."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import pytest

from tests.support.polling import LIMIT, wait_until
from tests.support.process import COMMAND, Call, environment

CTRL_S = b"\x13"
DROPPED = re.compile(
    r'^resilience_telemetry_dropped_log_lines_total\{reason="queue_full"\} ([0-9.]+)$', re.MULTILINE
)


@contextmanager
def ends() -> Iterator[tuple[int, int]]:
    """The end to read, and the end that the service writes to."""
    read, write = os.pipe()
    try:
        yield read, write
    finally:
        for each in (read, write):
            os.close(each)


def start(stdout: int, stderr: int, *, port: int = 0) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)],
        env=environment(RETRYSCOPE_LOG_LEVEL="DEBUG"),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def announced_port(read: int) -> int:
    said = b""
    while (found := re.search(rb"listens on http://127\.0\.0\.1:(\d+)\s[\s\S]*In a browser:", said)) is None:
        said += os.read(read, 4096)
    return int(found[1])


def log_much(port: int) -> None:
    params = {"tasks": 1000, "duration": 0, "failure_rate": 1}
    assert Call(port, "POST", "/workflows/sequential", params).answer().status != 500


def fill(port: int) -> float:
    """Make it log until lines are dropped; returns how many."""

    def dropped() -> float:
        log_much(port)
        found = DROPPED.search(Call(port, "GET", "/metrics").answer().body)
        return float(found[1]) if found else 0.0

    return wait_until(dropped, "log lines are dropped")


def test_a_full_pipe_holds_nothing_up() -> None:
    """Health answers, drops are counted, SIGTERM ends it in bounded time."""
    with ends() as (out, write_out), ends() as (err, write_err):
        process = start(write_out, write_err)
        try:
            port = announced_port(err)
            assert fill(port) > 0
            assert Call(port, "GET", "/health/live").answer().status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
            process.wait(LIMIT)
        os.set_blocking(out, False)
        first = os.read(out, 65_536).splitlines()[0]
        assert json.loads(first)["service.name"] == "retryscope"


def test_a_reader_that_comes_back_is_told_what_it_has_missed() -> None:
    """And gets the last lines: the interpreter waits for them."""
    with ends() as (out, write_out), ends() as (err, write_err):
        process = start(write_out, write_err)
        try:
            port = announced_port(err)
            dropped = fill(port)
            process.send_signal(signal.SIGTERM)
            received = b""
            while b'"shut down"' not in received:
                received += os.read(out, 1_048_576)
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
            process.wait(LIMIT)
        told = re.findall(rb'"message": "(\d+) log lines were lost: ', received)
        assert sum(map(int, told)) >= dropped


@pytest.mark.parametrize("stopped", ["before it starts", "while it runs"])
def test_a_terminal_stopped_with_ctrl_s_holds_nothing_up(
    stopped: Literal["before it starts", "while it runs"],
) -> None:
    """Standard output and error are the same terminal, as with `make run`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    terminal, its_end = pty.openpty()
    try:
        if stopped == "before it starts":
            os.write(terminal, CTRL_S)
        process = start(its_end, its_end, port=port)
        try:

            def alive() -> bool:
                try:
                    return Call(port, "GET", "/health/live").answer().status == 200
                except OSError:
                    return False

            wait_until(alive, "health answers")
            os.write(terminal, CTRL_S)
            for _ in range(3):
                log_much(port)
            assert alive()
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
            process.wait(LIMIT)
    finally:
        os.close(terminal)
        os.close(its_end)


def test_a_start_that_fails_is_not_held_up_by_a_full_pipe() -> None:
    """What it says is lost, its status is not."""
    with ends() as (_, write):
        os.set_blocking(write, False)
        with suppress(BlockingIOError):
            while True:
                os.write(write, bytes(4096))
        os.set_blocking(write, True)
        process = start(write, write, port=-1)
        try:
            assert process.wait(LIMIT) == 2
        finally:
            process.kill()
            process.wait(LIMIT)
