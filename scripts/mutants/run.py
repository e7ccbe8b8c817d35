"""How mutants are run: a fork each, with the tests that reach it."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest
from _pytest.runner import runtestprotocol

from scripts.mutants.changes import Mutant
from scripts.mutants.live import Live

KILLED, SURVIVED, TIMED_OUT, BROKEN = "killed", "survived", "timed out", "not run"


PATIENCE = 20.0
"""Seconds on the wall after which one that has not computed at all waits for what will never come."""


@dataclass
class Running:
    mutant: Mutant
    until: float
    computed: str = ""
    since: float = field(default_factory=time.monotonic)

    def hangs(self, pid: int) -> bool:
        now = time.monotonic()
        try:
            computed = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        except OSError:  # not on Linux: the limit alone
            return now > self.until
        if " ".join(computed) != self.computed:
            self.computed, self.since = " ".join(computed), now
        return now > min(self.until, self.since + PATIENCE)


@dataclass
class Plugin:
    """Takes the place of pytest's loop over the tests."""

    mutants: list[Mutant]
    jobs: int
    outcomes: list[tuple[Mutant, str]] = field(default_factory=list)
    problem: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """The same examples each time; a failing one is not made smaller."""
        import hypothesis  # not before: pytest rewrites what its plugins import

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutants",
            hypothesis.settings(),
            max_examples=25,
            derandomize=True,
            database=None,
            phases=phases,
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._clean_run(session.items)
        if self.problem is None:
            live = Live({each.file for each in self.mutants})
            gc.collect()
            gc.freeze()  # forks need not copy what is only looked at
            self._run(session.items, live)
        return True

    def _clean_run(self, items: Sequence[pytest.Item]) -> None:
        files = sorted({str(each.file) for each in self.mutants})
        tracer = coverage.Coverage(data_file=None, include=files, config_file=False)
        tracer.start()
        self._seconds: dict[str, float] = {}
        try:
            for item in items:
                tracer.switch_context(item.nodeid)
                began = time.process_time()
                if not passes(item):
                    self.problem = f"{item.nodeid} fails without any mutant"
                    return
                self._seconds[item.nodeid] = time.process_time() - began
        finally:
            tracer.stop()
        data = tracer.get_data()
        self._reached = {file: data.contexts_by_lineno(file) for file in files}

    def _tests_of(self, mutant: Mutant, by_id: dict[str, pytest.Item]) -> list[pytest.Item]:
        reached = self._reached[str(mutant.file)]
        found = {test for line in mutant.lines for test in reached.get(line, ()) if test}
        own = f"test_{mutant.file.stem.removeprefix('_')}.py"
        return [
            by_id[each]
            for each in sorted(
                found, key=lambda each: (self._seconds[each] > 0.1, own not in each, self._seconds[each])
            )
        ]

    def _run(self, items: Sequence[pytest.Item], live: Live) -> None:
        by_id = {item.nodeid: item for item in items}
        running: dict[int, Running] = {}
        if (control := os.fork()) == 0:  # beside them: tests that fail a second time would kill every mutant
            in_fork(live, None, items, 3600)
        for number, mutant in enumerate(self.mutants, 1):
            tests = self._tests_of(mutant, by_id)
            while len(running) >= self.jobs:
                self._reap(running)
            seconds = 5 + 5 * sum(self._seconds[each.nodeid] for each in tests)
            pid = os.fork()
            if pid == 0:
                in_fork(live, mutant, tests, round(seconds) + 1)
            # As this is about what the clock on the wall says, it is long: others may use the processors.
            running[pid] = Running(mutant, time.monotonic() + 12 * seconds)
            if number % 50 == 0:
                counts = ", ".join(f"{n} {what}" for what, n in Counter(o for _, o in self.outcomes).items())
                print(f"{number} of {len(self.mutants)}: {counts}", file=sys.__stderr__, flush=True)
        while running:
            self._reap(running)
        if os.waitpid(control, 0)[1] != 0:
            self.problem = "a test fails in a fork without any mutant, and so would kill each"

    def _reap(self, running: dict[int, Running]) -> None:
        while True:
            for pid, each in list(running.items()):
                if each.hangs(pid):
                    os.kill(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    del running[pid]
                    self.outcomes.append((each.mutant, outcome_of(status)))
                    if outcome_of(status) != KILLED:
                        print(outcome_of(status), *each.mutant.key, file=sys.__stderr__, flush=True)
                    return
            time.sleep(0.005)


def outcome_of(status: int) -> str:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
        return TIMED_OUT
    return {0: SURVIVED, 1: KILLED}.get(os.waitstatus_to_exitcode(status), BROKEN)


def passes(item: pytest.Item) -> bool:
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def in_fork(live: Live, mutant: Mutant | None, tests: Sequence[pytest.Item], seconds: int) -> None:
    status = 2
    try:
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        said = os.dup(2)
        null = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(null, each)
        if mutant is not None:
            live.replace(mutant)
        status = 1  # also where a test lets something out, as an exit
        failing = next((test for test in tests if not passes(test)), None)
        if failing is None:
            status = 0
        elif mutant is None:
            os.write(said, f"{failing.nodeid} fails in a fork without any mutant\n".encode())
    finally:
        os._exit(status)
