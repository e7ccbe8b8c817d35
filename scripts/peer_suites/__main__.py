"""``python -m scripts.peer_suites``: run them all; 0 if all that applies passes."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context

from . import cpython
from .result import Result

Suite = Callable[[], Result]


def of_cpython() -> list[Suite]:
    inside = [(module, tasks) for module in cpython.MODULES for tasks in (False, True)]
    return [
        cpython.by_our_timer,
        *(partial(cpython.inside_all, module, tasks=tasks) for module, tasks in inside),
    ]


def results(suites: Sequence[Suite]) -> Iterator[Result]:
    """Run each in a process of its own: what is put in the place of others' code stays there."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=logging.disable, max_tasks_per_child=1) as processes:
        for suite in suites:
            yield processes.submit(suite).result()


def main() -> int:
    if find_spec("test.test_asyncio") is None:
        print("this Python has no package `test`: for Debian's it is libpython3-testsuite", file=sys.stderr)
        return 2
    good = True
    for result in results(of_cpython()):
        result.show()
        good = good and result.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
