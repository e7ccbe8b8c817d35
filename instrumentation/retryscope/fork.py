"""What a forked process must begin anew: locks that another thread held, queues, threads, connections."""

from __future__ import annotations

import os
import random
import threading
import weakref
from typing import Final, Protocol


class Forked(Protocol):
    """Something with a state of which a fork copies only half."""

    def after_fork(self) -> None:
        """This is another process now, with one thread and none of the work of the old one."""


_known: Final[weakref.WeakSet[Forked]] = weakref.WeakSet()


def tell_after_fork(each: Forked) -> None:
    """Call its ``after_fork`` in every process that is forked from this one, while it lives."""
    _known.add(each)


class ForkedLock:
    """A lock that is free in a forked process: the thread that held it is not there to release it."""

    def __init__(self) -> None:
        self.after_fork()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Begin anew."""
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def own_random() -> random.Random:
    """A source that nobody else's seed determines, nor draws from, and another one in each forked process."""
    source = random.Random()
    os.register_at_fork(after_in_child=source.seed)
    return source


def _tell_all() -> None:
    for each in list(_known):
        each.after_fork()


os.register_at_fork(after_in_child=_tell_all)
