"""What a forked process begins anew; with real programs in ``test_processes.py``."""

import gc
import os
import random

import pytest

from retryscope import fork
from retryscope.fork import own_random, tell_after_fork

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Noting:
    """Notes what it is told."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def after_fork(self) -> None:
        os.write(self.pipe, b"told")


def told(pipe: int) -> bytes:
    """What was written in a forked process."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, 100)
    except BlockingIOError:
        return b""


def test_it_is_told_in_the_child_and_only_while_it_lives() -> None:
    read, write = os.pipe()
    noting = Noting(write)
    tell_after_fork(noting)
    assert told(read) == b"told"
    assert told(read) == b"told"
    del noting
    gc.collect()
    assert told(read) == b""
    os.close(read)
    os.close(write)


def test_the_hook_tells_all_that_live() -> None:
    """What it does in a child, where no coverage is measured."""
    read, write = os.pipe()
    noting = Noting(write)
    tell_after_fork(noting)
    fork._tell_all()
    assert os.read(read, 100) == b"told"
    os.close(read)
    os.close(write)


def test_a_source_of_ones_own_is_seeded_by_nobody_and_anew_in_a_child() -> None:
    random.seed(1)
    source = own_random()
    random.seed(1)
    assert source.random() != own_random().random()
    read, write = os.pipe()
    for _ in range(2):
        if (child := os.fork()) == 0:
            os.write(write, f"{source.random()}\n".encode())
            os._exit(0)
        os.waitpid(child, 0)
    drawn = {*os.read(read, 1000).decode().split(), str(source.random())}
    assert len(drawn) == 3
    os.close(read)
    os.close(write)
