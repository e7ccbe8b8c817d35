"""How long the requests that were not sent would have waited: a line in front of the places in flight."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

RESOLUTION: Final = 0.01
"""Seconds; requests due within it wait as one, from when the first was due."""

MOST_GROUPS: Final = 1024
"""Beyond it groups are joined: a line of hours takes as little memory as one of seconds."""

_SHORTEST_PACE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Waited:
    """Requests that would have been answered by now.

    Attributes:
        workflow: Name of the workflow.
        seconds: From when they were due until their answer.
        number: How many.
    """

    workflow: str
    seconds: float
    number: int


@dataclass(slots=True)
class _Group:
    due: float
    numbers: dict[str, int]


class Backlog:
    """First come, first served: what a client would do that sends what is due as soon as a place is free.

    A request that is really sent while others wait goes on behalf of the one that has waited longest, and
    takes a position at the end itself; so the answers are those to the line, in its order. Places through
    which nothing is sent work the line off at the pace of the last answer.

    Memory, and time per call, are bounded by :data:`MOST_GROUPS`. A wait is too long by at most
    :data:`RESOLUTION` or, in a longer line, by a 512th of the longest wait.
    """

    def __init__(self) -> None:
        self._groups: deque[_Group] = deque()
        self._number = 0
        self._width = RESOLUTION
        self._pace: float | None = None
        self._fastest = 0.0
        self._worked_off_until = 0.0
        self._progress = 0.0

    def __len__(self) -> int:
        return self._number

    def join(self, workflow: str, due: float) -> None:
        """A request is due, and every place is taken."""
        if not self._groups:
            self._width = RESOLUTION
        if self._groups and due // self._width == self._groups[-1].due // self._width:
            numbers = self._groups[-1].numbers
            numbers[workflow] = numbers.get(workflow, 0) + 1
        else:
            self._groups.append(_Group(due, {workflow: 1}))
        self._number += 1
        while len(self._groups) > MOST_GROUPS:
            self._width *= 2
            self._merge()

    def take_turn(self, due: float) -> float:
        """A request is sent; returns when the one was due on whose behalf it goes."""
        if not self._number:
            return due
        # The one that leaves keeps its name in the line: each workflow has as many waiting as before.
        ((longest_due, workflow, _),) = self._leave(1)
        self.join(workflow, due)
        return longest_due

    def place_freed(self, held_seconds: float) -> None:
        """A request had its answer, and had held its place for so long."""
        first = self._pace is None
        self._pace = max(held_seconds, _SHORTEST_PACE)
        self._fastest = self._pace if first else min(self._fastest, self._pace)

    def work_off(self, now: float, free_places: int) -> Iterator[Waited]:
        """What so many places, free since the last call, would have got done.

        Args:
            now: Loop time, later each time.
            free_places: Places that nothing was sent through.
        """
        start, self._worked_off_until = self._worked_off_until, now
        if not self._number or not free_places or self._pace is None:
            return
        each = self._pace / free_places
        done = self._progress + (now - start) / each
        number = min(int(done), self._number)
        answered = start - self._progress * each
        as_one = max(1, int(max(self._width, (now - start) / MOST_GROUPS) / each))
        for first in range(0, number, as_one):
            for due, workflow, count in self._leave(min(as_one, number - first)):
                answered += count * each
                yield Waited(workflow, max(answered - due, self._fastest), count)
        self._progress = done - number if self._number else 0.0

    def give_up(self, now: float) -> Iterator[Waited]:
        """The load has ended: the rest would have waited until now, and then for an answer at its fastest."""
        for due, workflow, count in self._leave(self._number):
            yield Waited(workflow, now - due + self._fastest, count)

    def _leave(self, number: int) -> Iterator[tuple[float, str, int]]:
        while number:
            group = self._groups[0]
            workflow, waiting = next(iter(group.numbers.items()))
            leaving = min(number, waiting)
            if leaving == waiting:
                del group.numbers[workflow]
                if not group.numbers:
                    self._groups.popleft()
            else:
                group.numbers[workflow] = waiting - leaving
            number -= leaving
            self._number -= leaving
            yield group.due, workflow, leaving

    def _merge(self) -> None:
        merged: deque[_Group] = deque()
        for group in self._groups:
            if merged and group.due // self._width == merged[-1].due // self._width:
                numbers = merged[-1].numbers
                for workflow, number in group.numbers.items():
                    numbers[workflow] = numbers.get(workflow, 0) + number
            else:
                merged.append(group)
        self._groups = merged
