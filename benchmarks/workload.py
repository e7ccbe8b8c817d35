"""The work that every variant does: an operation that fails exactly where it is told to."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

Operation = Callable[[int], Coroutine[Any, Any, int]]
"""Takes the number of its caller and answers with it."""


class UnavailableError(Exception):
    """What the operation raises."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What every variant is told: attempts in all, and seconds between two of them."""

    max_attempts: int = 3
    delay: float = 0.0


class FlakyServer:
    """Fails the first attempt of each call by one caller in ``fail_every`` (0: none), not the second."""

    def __init__(self, fail_every: int) -> None:
        self._fail_every = fail_every
        self._waiting: set[int] = set()
        self.attempts = 0
        self.failures = 0
        self.most_waiting = 0

    async def fetch(self, caller: int) -> int:
        self.attempts += 1
        await asyncio.sleep(0)  # the one turn of the loop that a call over the network takes at least
        if self._fail_every and caller % self._fail_every == 0:
            if caller not in self._waiting:
                self._waiting.add(caller)
                self.failures += 1
                raise UnavailableError(f"caller {caller} has to come back")
            self.most_waiting = max(self.most_waiting, len(self._waiting))
            self._waiting.discard(caller)
        return caller


async def call_concurrently(operation: Operation, *, callers: int, calls_each: int) -> list[int]:
    """Run ``callers`` tasks at once, each of which calls ``calls_each`` times; the answers, summed."""

    async def caller(number: int) -> int:
        total = 0
        for _ in range(calls_each):
            total += await operation(number)
        return total

    return await asyncio.gather(*(caller(number) for number in range(callers)))
