"""Run the tests that CPython has of asyncio's timeouts and task groups through the library.

`make peer-suites`. Their code is the interpreter's own, in its package `test`, and none of ours. Each
runs inside all the primitives, which must change nothing; those of `asyncio.timeout` also with the library's
timer in its place.
"""

import asyncio
import functools
import inspect
import logging
import math
import sys
import unittest
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from retryscope import Operation, RetryPolicy, deadline, retry, step, timeout, workflow
from retryscope._core.timer import Timer, running_task

MODULES = ("test_taskgroups", "test_timeouts", "test_waitfor")
PEER = Operation("peer", workflow="peers")
ONCE = RetryPolicy(max_attempts=1, retry_on=())

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


def inside(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The test, within every primitive that can be around it."""

    @functools.wraps(test)
    async def run(case: unittest.TestCase) -> None:
        async with workflow("peers", deadline=600), deadline(600), timeout(PEER, 600), step(PEER):
            await retry(PEER, ONCE).call(test, case)

    return run


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


def run(what: str, classes: list[type[Any]], leave_out: frozenset[str] = frozenset()) -> bool:
    """Run the tests of classes; whether all passed."""
    suite, left_out = unittest.TestSuite(), 0
    for each in classes:
        names = unittest.defaultTestLoader.getTestCaseNames(each)
        suite.addTests(each(name) for name in names if name not in leave_out)
        left_out += sum(name in leave_out for name in names)
    result = unittest.TextTestRunner(verbosity=0, stream=sys.stderr).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{what}: {result.testsRun - failed} passed, {failed} failed, {left_out} do not apply")
    return failed == 0


def main() -> int:
    """Run all of it; 0 if all that applies passes."""
    logging.disable()
    try:
        import_module("test.test_asyncio.test_timeouts")
    except ImportError:
        print("this Python has no package `test`: for Debian's it is libpython3-testsuite")
        return 2
    with replaced():
        good = run("asyncio.timeout by our timer", cases("test_timeouts"), frozenset(NOT_OURS))
    for name, reason in NOT_OURS.items():
        print(f"  does not apply: {name}: {reason}")
    for module in MODULES:
        classes = cases(module)
        for each in classes:
            for name in unittest.defaultTestLoader.getTestCaseNames(each):
                if inspect.iscoroutinefunction(getattr(each, name)):
                    setattr(each, name, inside(getattr(each, name)))
        good = run(f"{module} inside all primitives", classes) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
