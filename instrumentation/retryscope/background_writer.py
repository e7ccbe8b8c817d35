"""A text stream that never makes its writer wait: a thread writes, the queue is bounded, losses are counted.

Who does not read its end of a pipe, or stops a terminal with Ctrl-S, would otherwise hold the event loop in
a write, and with it every answer and every signal.
"""

from __future__ import annotations

import io
import os
import queue
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, TextIO

from retryscope.fork import tell_after_fork

MAX_BYTES: Final = 4_194_304
"""What waits at most, in bytes."""

DropReason = Literal["queue_full", "write_failed"]


class BackgroundWriter(io.TextIOBase):
    """Takes text for another stream, and writes it there on a thread of its own.

    Where that stream is a file, a pipe or a terminal it is written to below Python's own buffer: a thread
    that is held in that buffer would hold the interpreter's end, too.

    Args:
        stream: Where it goes; None, which a process without standard output has, is nowhere.
        on_drop: Called, from any thread, for each text that is lost.
        notice: Makes the text that says how many were lost; it is written once there is room again.
        max_bytes: What waits at most.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        on_drop: Callable[[DropReason], None],
        notice: Callable[[int], str],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._stream = stream
        self._descriptor: int | None = None
        if stream is not None:
            stream.flush()
            with suppress(OSError):  # it is in memory
                self._descriptor = stream.fileno()
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._on_drop = on_drop
        self._notice = notice
        self._max_bytes = max_bytes
        self._begin()
        tell_after_fork(self)

    def _begin(self) -> None:
        # A destructor may log while this thread is in here: the lock and the queue are made for that.
        self._lock = threading.RLock()
        self._queue: queue.SimpleQueue[bytes | threading.Event | None] = queue.SimpleQueue()
        self._taken = self._done = self._lost = self._reported = 0
        self._torn = False
        threading.Thread(target=self._run, name="background-writer", daemon=True).start()

    def after_fork(self) -> None:
        """What waits is the other process's to write; a fork takes no threads along."""
        if not self.closed:
            self._begin()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._encoding

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """That of the stream."""
        if self._descriptor is None:
            raise io.UnsupportedOperation("fileno")
        return self._descriptor

    def write(self, text: str) -> int:
        """Queue the text as a whole, or drop and count it."""
        data = text.encode(self._encoding, "backslashreplace")
        with self._lock:
            admitted = self.pending + len(data) <= self._max_bytes
            if admitted:
                self._taken += len(data)
                self._queue.put(data)
        if not admitted:
            self._lose("queue_full")
        return len(text)

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""
        return self._taken - self._done

    def drain(self, timeout: float) -> bool:
        """Wait until all that was taken is written; False if ``timeout`` seconds were not enough."""
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout)

    def close(self) -> None:
        """End the thread once it has written what was taken."""
        if not self.closed:
            self._queue.put(None)
        super().close()

    def _lose(self, reason: DropReason) -> None:
        with self._lock:
            self._lost += 1
        self._on_drop(reason)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            written = self._put(item)
            self._done += len(item)
            if not written:
                self._lose("write_failed")
            elif self._lost > self._reported and self.pending <= self._max_bytes / 2:
                lost = self._lost - self._reported
                if self._put(self._notice(lost).encode(self._encoding, "backslashreplace")):
                    self._reported += lost

    def _put(self, data: bytes) -> bool:
        try:
            if self._descriptor is not None:
                self._write_all(self._descriptor, b"\n" + data if self._torn else data)
                self._torn = False
            elif self._stream is not None:
                self._stream.write(data.decode(self._encoding))
        except (OSError, ValueError):  # nobody reads it any more, the disk is full, the stream is closed
            return False
        return self._stream is not None

    def _write_all(self, descriptor: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                written = os.write(descriptor, rest)
            except BlockingIOError:  # whoever shares the terminal has made it so
                select.select([], [descriptor], [])
            else:
                self._torn = True  # until the rest of the line has followed
                rest = rest[written:]
