"""CPython's tests of timeouts and task groups: by the library's timer, and inside all primitives.

Their code is the interpreter's own, in its package `test`.
"""

import asyncio
import inspect
import io
import math
import sys
import unittest
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import MappingProxyType
from typing import Any

from retryscope._core.timer import Timer, running_task

from .inside import inside, record
from .result import Result

MODULES = ("test_taskgroups", "test_timeouts", "test_waitfor")

SHOWN = "how asyncio.Timeout shows itself"
MOVED = "no limit of ours can be moved"
CONTEXTS = "3.13 puts a TimeoutError into the contexts of what the body raises: that is not ours to write on"
NOT_OURS = {
    **dict.fromkeys((f"test_repr_{state}" for state in ("active", "disabled", "expired", "finished")), SHOWN),
    **dict.fromkeys(
        (
            "test_reschedule",
            "test_timeout_expired",
            "test_timeout_expiring",
            "test_timeout_finished",
            "test_timeout_not_entered",
            "test_timeout_without_task",
        ),
        MOVED,
    ),
}
if sys.version_info >= (3, 13):
    NOT_OURS |= dict.fromkeys(
        (
            "test_foreign_exception_on_timeout",
            "test_foreign_exception_on_timeout_2",
            "test_nested_timeout_in_finally",
            "test_timeout_taskgroup",
        ),
        CONTEXTS,
    )
"""Tests of `asyncio.timeout` that do not apply to a timer that takes its place, and why."""

MASK = "asyncio.md 8: where an attempt makes an error of a cancel, the retry raises the cancel"
MASKED = {
    "test_taskgroups": dict.fromkeys((f"test_taskgroup_{number}" for number in ("08", "11", "12")), MASK),
    "test_timeouts": {"test_timeout_taskgroup": MASK} if sys.version_info >= (3, 13) else {},
    "test_waitfor": {"test_wait_for_reraises_exception_during_cancellation": MASK},
}
"""Tests of a module that do not apply to a retry around each of their tasks, and why."""


class Replacement:
    """`asyncio.Timeout` on the library's timer."""

    def __init__(self, when: float | None) -> None:
        self._when = when
        self._timer: Timer | None = None

    def when(self) -> float | None:
        return self._when

    def expired(self) -> bool:
        return self._timer is not None and self._timer.expired()

    async def __aenter__(self) -> "Replacement":
        if self._timer is not None:
            raise RuntimeError("Timeout has already been entered")
        self._timer = Timer(running_task("Timeout"), math.inf if self._when is None else self._when)
        self._timer.start()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        assert self._timer is not None
        if self._timer.stop(error):
            raise TimeoutError from error


@contextmanager
def replaced() -> Iterator[None]:
    """`asyncio.timeout` is ours during the block."""

    def timeout(delay: float | None) -> Replacement:
        return Replacement(None if delay is None else asyncio.get_running_loop().time() + delay)

    before = {name: getattr(asyncio, name) for name in ("timeout", "timeout_at", "Timeout")}
    asyncio.timeout, asyncio.timeout_at, asyncio.Timeout = timeout, Replacement, Replacement  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(asyncio, name, value)


def cases(module: str) -> list[type[unittest.TestCase]]:
    """The classes of a module that test coroutines."""
    found = vars(import_module(f"test.test_asyncio.{module}")).values()
    kind = unittest.IsolatedAsyncioTestCase
    return [each for each in found if inspect.isclass(each) and issubclass(each, kind) and each is not kind]


def run(what: str, classes: list[type[Any]], not_ours: Mapping[str, str] = MappingProxyType({})) -> Result:
    """Run the tests of classes, without those that do not apply."""
    suite, result = unittest.TestSuite(), Result(what)
    for each in classes:
        for name in unittest.defaultTestLoader.getTestCaseNames(each):
            if name in not_ours:
                result.left_out[name] = not_ours[name]
            else:
                suite.addTest(each(name))
    result.stale = sorted(not_ours.keys() - result.left_out.keys())
    outcome = unittest.TextTestRunner(verbosity=0, stream=io.StringIO()).run(suite)
    result.failed = [f"{case}\n{report}" for case, report in outcome.failures + outcome.errors]
    result.left_out |= {case.id(): f"CPython skips it here: {why}" for case, why in outcome.skipped}
    result.passed = outcome.testsRun - len(result.failed) - len(outcome.skipped)
    return result


def by_our_timer() -> Result:
    """The tests of `asyncio.timeout`, with the library's timer in its place."""
    record()
    with replaced():
        return run("asyncio.timeout by our timer", cases("test_timeouts"), NOT_OURS)


def inside_all(module: str, *, tasks: bool) -> Result:
    """The tests of a module, inside all primitives, or each task of theirs too."""
    record()
    classes = cases(module)
    for each in classes:
        for name in unittest.defaultTestLoader.getTestCaseNames(each):
            if inspect.iscoroutinefunction(getattr(each, name)):
                setattr(each, name, inside(getattr(each, name), tasks=tasks))
    if tasks:
        return run(f"{module} with each task inside all primitives", classes, MASKED[module])
    return run(f"{module} inside all primitives", classes)
