"""``python -m scripts.peer_suites``: run them all; 0 if all that applies passes."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from . import cpython, stamina, tenacity
from .result import Result
from .sdists import FetchError, fetch_tests

Suite = Callable[[], Result]


def of_cpython() -> list[Suite]:
    inside = [(module, tasks) for module in cpython.MODULES for tasks in (False, True)]
    return [
        cpython.by_our_timer,
        *(partial(cpython.inside_all, module, tasks=tasks) for module, tasks in inside),
    ]


def of_peers(folder: Path) -> list[Suite]:
    """Fetch them, and say of which versions they are.

    Raises:
        FetchError: They can't be had.
    """
    suites: list[Suite] = []
    for peer in (tenacity, stamina):
        name = peer.__name__.rpartition(".")[2]
        print(f"fetched: the tests of {name} {fetch_tests(name, folder / name)}", flush=True)
        suites += [partial(peer.by_ours, folder / name), partial(peer.inside_all, folder / name)]
    return suites


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
    try:
        with TemporaryDirectory() as folder:
            for result in results([*of_cpython(), *of_peers(Path(folder))]):
                result.show()
                good = good and result.good
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
