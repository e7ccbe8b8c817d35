"""What a forked process must begin anew: locks that another thread held, queues, threads, connections."""

from __future__ import annotations

import os
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


def _tell_all() -> None:
    for each in list(_known):
        each.after_fork()


os.register_at_fork(after_in_child=_tell_all)
