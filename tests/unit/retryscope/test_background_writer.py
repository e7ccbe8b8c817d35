"""A stream that never makes its writer wait: in order, bounded, every loss counted."""

import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope.background_writer import BackgroundWriter

PIPE_BYTES = 65_536
NEVER = 60.0
"""Seconds that nothing here takes."""


class Losses(Counter[str]):
    def count(self, reason: str) -> None:
        self[reason] += 1


@contextmanager
def writing(stream: TextIO | None, **bounds: int) -> Iterator[tuple[BackgroundWriter, Losses]]:
    losses = Losses()
    writer = BackgroundWriter(stream, on_drop=losses.count, notice=lambda lost: f"{lost} lost\n", **bounds)
    try:
        yield writer, losses
    finally:
        writer.close()


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The end to read, and the other one as a stream that has no newline translation."""
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8", newline="") as stream:
        try:
            yield read, stream
        finally:
            os.close(read)


def read_until(descriptor: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += os.read(descriptor, PIPE_BYTES)
    return data


@given(st.lists(st.text(max_size=300), max_size=50))
def test_what_is_written_arrives_in_order(texts: list[str]) -> None:
    """Whatever it is: what the encoding does not have is escaped."""
    with pipe() as (read, stream), writing(stream) as (writer, losses):
        for text in texts:
            assert writer.write(text) == len(text)
        writer.write("end")
        assert writer.drain(NEVER)
        assert writer.pending == 0
        assert read_until(read, b"end") == "".join([*texts, "end"]).encode("utf-8", "backslashreplace")
        assert losses == {}


def test_a_reader_that_does_not_read_holds_nobody_up_and_every_loss_is_counted() -> None:
    """Once it reads again it is told how many lines it has missed."""
    line = "x" * 999 + "\n"
    with pipe() as (read, stream), writing(stream, max_bytes=200_000) as (writer, losses):
        for _ in range(1000):
            writer.write(line)
        lost = losses["queue_full"]
        assert writer.pending <= 200_000
        assert not writer.drain(0)
        # What the pipe takes, what waits, and the rest.
        assert 1000 - 200 - PIPE_BYTES // 1000 - 1 <= lost <= 800
        received = b""
        while f"{lost} lost\n".encode() not in received:
            received += os.read(read, PIPE_BYTES)
        writer.write("again\n")
        received += read_until(read, b"again\n")
        assert received.count(line.encode()) == 1000 - lost
        assert received.count(b"lost") == 1


def test_nobody_reads_any_more() -> None:
    """Each line is counted, and nothing is raised."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream, writing(stream) as (writer, losses):
        for _ in range(3):
            writer.write("line\n")
        assert writer.drain(NEVER)
        assert losses == {"write_failed": 3}


def test_a_line_that_was_cut_off_does_not_spoil_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that was full for a while."""
    really = os.write
    with pipe() as (read, stream), writing(stream) as (writer, losses):

        def full(descriptor: int, data: memoryview) -> int:
            if bytes(data) == b"first\n":
                return really(descriptor, data[:3])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        writer.write("first\n")
        assert writer.drain(NEVER)
        monkeypatch.setattr(os, "write", really)
        writer.write("second\n")
        assert read_until(read, b"lost\n") == b"fir\nsecond\n1 lost\n"
        assert losses == {"write_failed": 1}


def test_a_descriptor_that_others_have_made_non_blocking_is_waited_for() -> None:
    """Whoever shares the terminal may do so."""
    with pipe() as (read, stream), writing(stream) as (writer, losses):
        os.set_blocking(stream.fileno(), False)
        writer.write("x" * 300_000)
        assert not writer.drain(0.01)
        writer.write("end")
        assert len(read_until(read, b"end")) == 300_003
        assert losses == {}


def test_a_stream_in_memory_is_written_to_as_it_is() -> None:
    """It has no descriptor, and is no terminal."""
    memory = io.StringIO()
    with writing(memory) as (writer, losses):
        writer.write("line\n")
        assert writer.drain(NEVER)
        assert memory.getvalue() == "line\n"
        assert (writer.writable(), writer.isatty(), writer.encoding) == (True, False, "utf-8")
        with pytest.raises(io.UnsupportedOperation):
            writer.fileno()
        memory.close()
        writer.write("line\n")
        assert writer.drain(NEVER)
        assert losses == {"write_failed": 1}


def test_a_process_without_standard_output_has_nowhere_to_write() -> None:
    """It is ``None`` then."""
    with writing(None) as (writer, losses):
        writer.write("line\n")
        assert writer.drain(NEVER)
        assert losses == {"write_failed": 1}
        assert not writer.isatty()


def test_it_says_of_itself_what_its_stream_is() -> None:
    """For who asks whether it is a terminal, and how wide."""
    with pipe() as (_, stream), writing(stream) as (writer, _):
        assert writer.fileno() == stream.fileno()
        writer.close()
        writer.close()


def test_the_notice_of_a_loss_is_given_again_until_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full again just then has lost nothing more than before."""
    really = os.write
    room: list[bytes] = [b"second\n"]
    with pipe() as (read, stream), writing(stream) as (writer, losses):
        monkeypatch.setattr(
            os, "write", lambda fd, data: really(fd, data) if bytes(data) in room else really(-1, data)
        )
        writer.write("first\n")
        writer.write("second\n")
        assert writer.drain(NEVER)
        monkeypatch.setattr(os, "write", really)
        writer.write("third\n")
        assert read_until(read, b"lost\n") == b"second\nthird\n1 lost\n"
        assert losses == {"write_failed": 1}


def test_after_a_fork_a_thread_of_this_process_writes() -> None:
    with pipe() as (read, stream), writing(stream) as (writer, _):
        writer.write("before\n")
        assert writer.drain(NEVER)
        writer._lock.acquire()
        writer.after_fork()
        writer.write("after\n")
        assert writer.drain(NEVER)
        assert os.read(read, 100) == b"before\nafter\n"
    writer.after_fork()  # it is closed
