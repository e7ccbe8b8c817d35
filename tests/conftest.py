"""What every test may use."""

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.support import clock
from tests.support.inherited import set_dispositions, state_of_the_process
from tests.support.postgresql import PACKAGED, PostgresServer, find_programs, postgres_server

ROOT = Path(__file__).parents[1]

# How long an example takes says something about the machine only. Hypothesis itself sets the rest for CI.
settings.register_profile(
    "retryscope", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("retryscope")


def cannot_run(reason: str) -> NoReturn:
    """Skip the test with its reason; in CI, where everything has to be there, fail it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{reason}; CI must not skip this test", pytrace=False)
    pytest.skip(reason)


def find_system_tool(name: str) -> Path:
    """The path of a program that is not a Python package."""
    found = shutil.which(name)
    if found is None:
        cannot_run(f"needs the program {name} on PATH (Debian: apt-get install {name})")
    return Path(found)


@pytest.fixture(scope="session")
def system_tool() -> Callable[[str], Path]:
    """Ask for a program by name; the test is skipped where it is missing, and fails in CI."""
    return find_system_tool


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests of a process; each asks it for a database of its own."""
    programs = find_programs()
    if programs is None:
        cannot_run(
            f"needs initdb and postgres on PATH or in {PACKAGED}/*/bin (Debian: apt-get install postgresql)"
        )
    with postgres_server(programs) as server:
        yield server


@pytest.fixture(autouse=True)
def _the_process_is_left_as_it_was() -> Iterator[None]:
    """Tests run in any order: none may find what another one has left."""
    before = state_of_the_process()
    yield
    after = state_of_the_process()
    left = {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
    assert left == {}, "what it was before, and what the test has left"


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, as many tests wait; more than four starve each other."""
    return min(len(os.sched_getaffinity(0)) + 1, 4)


def give_ids_of_their_own(items: list[pytest.Item]) -> None:
    """Of several tests with one id, pytest-xdist would run one, and say nothing of the others.

    Raises:
        pytest.UsageError: Two tests have one id.
    """
    for item in items:
        if item.parent is not None and not item.nodeid.endswith(item.name):
            # schemathesis names the operation in a test's name only; pytest makes the id from the function's.
            item._id = item.id.parse(f"{item.parent.nodeid}::{item.name}")
    shared = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if shared:
        raise pytest.UsageError(f"several tests share an id, of which pytest-xdist runs one: {shared}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In random order, but those of units last: they are short, so that no process waits long for another."""
    give_ids_of_their_own(items)
    units = (ROOT / "tests" / "unit", ROOT / "instrumentation")
    items.sort(key=lambda item: any(item.path.is_relative_to(folder) for folder in units))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--eager-tasks",
        action="store_true",
        help="run coroutine tests on loops that start tasks eagerly (Python 3.12 and later)",
    )
    parser.addoption(
        "--recorder",
        choices=("auto", "sdk"),
        help="what records spans in these tests, by RETRYSCOPE_RECORDER",
    )
    parser.addoption("--uvloop", action="store_true", help="run coroutine tests on uvloop")


def pytest_configure(config: pytest.Config) -> None:
    set_dispositions()
    # looptime asks for the current loop before synchronous tests too. Up to Python 3.13 that makes one, which
    # nobody closes, as long as none was ever set.
    asyncio.set_event_loop(None)
    if recorder := config.getoption("--recorder"):
        os.environ["RETRYSCOPE_RECORDER"] = recorder
    clock.eager_tasks = bool(config.getoption("--eager-tasks"))
    clock.on_uvloop = bool(config.getoption("--uvloop"))
    if clock.eager_tasks or clock.on_uvloop:
        config.pluginmanager.register(_LoopAsAsked())


class _LoopAsAsked:
    def pytest_asyncio_loop_factories(
        self, config: pytest.Config, item: pytest.Item
    ) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        return {"as asked": clock.real_loop}
