"""What happens here as a stream of events, to any number of readers: each bounded, none holds up another.

The interface for whoever has something to tell the open pages is :meth:`StreamHub.publish`.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Final

MAX_READERS: Final = 100
MAX_WAITING_EVENTS: Final = 500
"""Events that wait for one reader at most: half a minute of a busy service."""
MAX_WAITING_BYTES: Final = 8_000_000
"""Bytes that wait for one reader at most; a single event may be larger."""


class TooManyReadersError(Exception):
    """As many read the stream as may."""


class StreamHub:
    """Gives each published event the next number, and passes it on to the readers. Thread-safe.

    Attributes:
        boot_id: Another one after each start of the process.
    """

    def __init__(self) -> None:
        self.boot_id = secrets.token_hex(8)
        self._seq = 0
        self._readers: set[StreamReader] = set()
        self._closed = False
        self._lock = Lock()

    @property
    def seq(self) -> int:
        """Number of the last event; who makes a snapshot asks for it before collecting anything."""
        return self._seq

    def publish(self, event: str, data: object, topic: str | None = None) -> None:
        """Pass an event on, from any thread.

        Args:
            event: Its name.
            data: What JSON knows, so neither NaN nor infinity; it is not encoded while nobody reads.
            topic: Only for the readers who asked for this; None: for all.

        Raises:
            ValueError: JSON does not know ``data``.
        """
        frame = _frame(event, data) if self._readers else b""
        with self._lock:
            self._seq += 1
            readers = [reader for reader in self._readers if topic is None or topic in reader.topics]
            if readers:
                numbered = _numbered(self._seq, frame or _frame(event, data))
                for reader in readers:
                    reader.put(numbered, self._seq)

    @contextmanager
    def reader(self, topics: Collection[str] = ()) -> Iterator["StreamReader"]:
        """Read from now on, on the running event loop; ``hello`` comes first.

        Raises:
            TooManyReadersError: There are ``MAX_READERS`` already.
        """
        reader = StreamReader(frozenset(topics))
        with self._lock:
            if len(self._readers) >= MAX_READERS:
                raise TooManyReadersError(f"{MAX_READERS} read the stream already, which is the limit")
            hello = _frame("hello", {"boot_id": self.boot_id, "seq": self._seq})
            reader.put(_numbered(self._seq, hello), self._seq)
            if self._closed:
                reader.end()
            self._readers.add(reader)
        try:
            yield reader
        finally:
            with self._lock:
                self._readers.discard(reader)

    def close(self) -> None:
        """End every reader once it has read what waits for it: the process shuts down."""
        with self._lock:
            self._closed = True
            for reader in self._readers:
                reader.end()


class StreamReader:
    """The events that wait to be sent to one reader, as text/event-stream."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._lock = Lock()

    def put(self, frame: bytes, seq: int) -> None:
        """Add an event; where too many wait, drop them all and tell the reader to ``resync``."""
        with self._lock:
            if self._is_full(len(frame)):
                self._waiting.clear()
                self._bytes = 0
                frame = _numbered(seq, _frame("resync", {}))
            self._waiting.append(frame)
            self._bytes += len(frame)
        self._loop.call_soon_threadsafe(self._news.set)

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._loop.call_soon_threadsafe(self._news.set)

    async def take(self, limit: float) -> bytes | None:
        """All that waits; empty after ``limit`` seconds without anything, None at the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._until_news()
        with self._lock:
            taken = b"".join(self._waiting)
            self._waiting.clear()
            self._bytes = 0
        return None if self._ended and not taken else taken

    async def _until_news(self) -> None:
        while True:
            self._news.clear()  # before looking: what another thread adds after the look sets it again
            if self._waiting or self._ended:
                return
            await self._news.wait()

    def _is_full(self, more: int) -> bool:
        too_large = bool(self._waiting) and self._bytes + more > MAX_WAITING_BYTES
        return too_large or len(self._waiting) >= MAX_WAITING_EVENTS


def _frame(event: str, data: object) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode()


def _numbered(seq: int, frame: bytes) -> bytes:
    return b"id: %d\n%b" % (seq, frame)
