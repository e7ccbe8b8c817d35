"""Mutation tests: changes the library's code in one place at a time, and sees whether a test notices.

Which changes are made is as mutmut has it, and a few more (`further_operators`). How they are run is not: it
puts a function of its own around every other, which then is in each frame, each traceback and each cancel's
location, and much of what is tested here is about those. Instead pytest collects everything once, in this
process. Each mutant is a fork of it that swaps the code of one function for a mutated one, and runs the tests
that reach its lines, the fastest first, until one fails.

Module-level code and a class's own are not mutated: they have run already. Of a survivor, the reason why it
changes nothing is in `scripts/mutants_survivors.toml`; or else a test is missing, or the code is superfluous.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import os
import resource
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import libcst as cst
import pytest
from _pytest.runner import runtestprotocol
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "instrumentation"
EXPLAINED = Path(__file__).with_name("mutants_survivors.toml")

FUTURE_ANNOTATIONS = 0x1000000
"""As the modules have it: what is an annotation there is not evaluated here either."""


# What is changed


def further_operators(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What mutmut leaves as it is: statements are left out, conditions negated, values not returned."""
    if isinstance(node, cst.SimpleStatementLine) and len(node.body) == 1:
        (statement,) = node.body
        is_text = isinstance(statement, cst.Expr) and isinstance(statement.value, cst.BaseString)
        if isinstance(statement, cst.Del | cst.Raise) or (isinstance(statement, cst.Expr) and not is_text):
            yield node.with_changes(body=[cst.Pass()])
        if isinstance(statement, cst.Return) and statement.value is not None:
            yield node.with_changes(body=[cst.Return()])
    if isinstance(node, cst.If) and isinstance(
        node.test, cst.Call | cst.Name | cst.Attribute | cst.NamedExpr
    ):
        test = node.test
        if not test.lpar:
            test = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        spaced = cst.Not(whitespace_after=cst.SimpleWhitespace(" "))
        negated = cst.UnaryOperation(spaced, test)
        yield node.with_changes(test=negated, whitespace_before_test=cst.SimpleWhitespace(" "))


def replacements(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if not isinstance(node, kind):
            continue
        made = operator(node)
        # Of a text one change is enough: that its case is tested as well says little more.
        yield from [next(iter(made), None)] if operator is operator_string else made  # type: ignore[misc]
    yield from further_operators(node)


@dataclass
class Mutant:
    file: Path
    name: str
    """Qualified name of the outermost function or method that it changes."""
    lines: range
    """Of the statement that it is in: a test that reaches one of them may notice."""
    line: int
    source: str
    """That function, below its class."""
    before: str
    after: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (str(self.file.relative_to(SOURCES)), self.name, self.change)

    @cached_property
    def change(self) -> str:
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), n=0, lineterm="")
        return "\n".join(line for line in list(lines)[2:] if not line.startswith("@@"))


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.found: list[Mutant] = []
        self._classes: list[cst.ClassDef] = []
        self._function: cst.FunctionDef | None = None
        self._statements: list[range] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Decorator):
            return False
        if isinstance(node, cst.Param) and not isinstance(
            node.default, cst.Name | cst.BaseNumber | cst.BaseString | None
        ):
            return False
        outermost = self._function is None
        if isinstance(node, cst.ClassDef) and outermost:
            self._classes.append(node)
        elif isinstance(node, cst.FunctionDef) and outermost:
            self._function = node
        if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            self._statements.append(self._lines(node))
        if self._function is not None and node is not self._function and not _is_check_of_type(node):
            self.found += [self._mutant(node, each) for each in replacements(node) if each is not None]
        return True

    def on_leave(self, node: cst.CSTNode) -> None:  # type: ignore[override]
        if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            # Not where on_visit has left it out: that is never a statement.
            self._statements.pop()
        if node is self._function:
            self._function = None
        elif self._classes and node is self._classes[-1]:
            self._classes.pop()

    def _lines(self, node: cst.CSTNode) -> range:
        """From its first line to its last, of a block without its body."""
        place = self.get_metadata(PositionProvider, node)
        end = place.end.line
        if isinstance(node, cst.BaseCompoundStatement):
            end = max(place.start.line, self.get_metadata(PositionProvider, node.body).start.line - 1)
        return range(place.start.line, end + 1)

    def _mutant(self, node: cst.CSTNode, by: cst.CSTNode) -> Mutant:
        function = self._function
        assert function is not None
        plain = function.with_changes(decorators=[], leading_lines=[], lines_after_decorators=[])
        changed = plain.deep_replace(node, by)
        assert isinstance(changed, cst.FunctionDef)
        start = self.get_metadata(PositionProvider, function.name).start.line
        below: cst.BaseStatement = changed
        for each in reversed(self._classes):
            below = cst.ClassDef(name=each.name, body=cst.IndentedBlock([below]))
        padding = "\n" * (start - 1 - len(self._classes))
        module = cst.Module([])
        return Mutant(
            file=self.file,
            name=".".join([*(each.name.value for each in self._classes), function.name.value]),
            lines=self._statements[-1],
            line=self.get_metadata(PositionProvider, node).start.line,
            source=padding + module.code_for_node(below),
            before=module.code_for_node(plain),
            after=module.code_for_node(changed),
        )


def _is_check_of_type(node: cst.CSTNode) -> bool:
    """What would only be a TypeError."""
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Name)
        and node.func.value in {"isinstance", "len", "super", "type", "id"}
    )


def mutants_of(file: Path) -> list[Mutant]:
    finder = _Finder(file)
    MetadataWrapper(cst.parse_module(file.read_text()), unsafe_skip_copy=True).visit(finder)
    seen: set[str] = set()
    return [each for each in finder.found if each.after != each.before and not _seen(each, seen)]


def _seen(mutant: Mutant, seen: set[str]) -> bool:
    known = mutant.source in seen
    seen.add(mutant.source)
    return known


# How it is put in place


class Live:
    """The functions of the library that exist in this process."""

    def __init__(self, files: Iterable[Path]) -> None:
        names = {str(file) for file in files}
        self._functions: dict[tuple[str, str], list[FunctionType]] = {}
        for each in gc.get_objects():
            if type(each) is FunctionType and each.__code__.co_filename in names:
                key = (each.__code__.co_filename, each.__code__.co_qualname)
                self._functions.setdefault(key, []).append(each)

    def replace(self, mutant: Mutant) -> None:
        code = compile(mutant.source, mutant.file, "exec", FUTURE_ANNOTATIONS, dont_inherit=True)
        module = ".".join(mutant.file.relative_to(SOURCES).with_suffix("").parts)
        made: Any = dict(vars(sys.modules[module]))
        exec(code, made)  # noqa: S102 - it is this project's own code
        first, *further = mutant.name.split(".")
        made = made[first]
        for each in further:
            made = vars(made)[each]
        changed: FunctionType = getattr(made, "__func__", made)  # __new__ is a static method
        for function in self._functions[str(mutant.file), mutant.name]:
            function.__code__ = changed.__code__
            function.__defaults__ = changed.__defaults__
            function.__kwdefaults__ = changed.__kwdefaults__
        # Closures that tests have made while they were imported, as a decorated function.
        for inner in _inner(changed.__code__):
            for function in self._functions.get((str(mutant.file), inner.co_qualname), ()):
                function.__code__ = inner


def _inner(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _inner(each)


# How it is run

KILLED, SURVIVED, TIMED_OUT, BROKEN = "killed", "survived", "timed out", "not run"


@dataclass
class Running:
    mutant: Mutant
    until: float


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
            self.problem = "a test fails in a fork without any mutant"

    def _reap(self, running: dict[int, Running]) -> None:
        while True:
            for pid, each in list(running.items()):
                if time.monotonic() > each.until:
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
        null = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(null, each)
        if mutant is not None:
            live.replace(mutant)
        status = 1  # also where a test lets something out, as an exit
        if all(passes(test) for test in tests):
            status = 0
    finally:
        os._exit(status)


# What is printed


def explained() -> dict[tuple[str, str, str], str]:
    """Why survivors change nothing, by where and what they are."""
    if not EXPLAINED.is_file():
        return {}
    entries = tomllib.loads(EXPLAINED.read_text()).get("survivor", [])
    return {
        (each["file"], each["function"], change.strip("\n")): each["why"]
        for each in entries
        for change in each["changes"]
    }


def print_all(outcomes: Sequence[tuple[Mutant, str]]) -> bool:
    """The score, by file and in all, and each survivor; whether all of them are explained."""
    reasons = explained()
    files = sorted({mutant.file for mutant, _ in outcomes})
    print(
        f"\n{'':44}{'mutants':>8}{'killed':>8}{'timed out':>11}{'survived':>10}{'explained':>11}{'score':>8}"
    )
    for file in [*files, None]:
        of_file = [(mutant, outcome) for mutant, outcome in outcomes if file in {mutant.file, None}]
        counts = Counter(outcome for _, outcome in of_file)
        known = sum(outcome == SURVIVED and mutant.key in reasons for mutant, outcome in of_file)
        name = "all" if file is None else str(file.relative_to(SOURCES))
        score = (counts[KILLED] + counts[TIMED_OUT]) / max(1, len(of_file))
        print(
            f"{name:44}{len(of_file):8}{counts[KILLED]:8}{counts[TIMED_OUT]:11}{counts[SURVIVED]:10}"
            f"{known:11}{score:8.1%}"
        )
    survivors = sorted(
        (mutant for mutant, outcome in outcomes if outcome == SURVIVED),
        key=lambda each: (each.file, each.line),
    )
    for mutant in survivors:
        where = f"{mutant.file.relative_to(SOURCES)}:{mutant.line} {mutant.name}"
        print(f"\n{where}\n{mutant.change}\n# {reasons.get(mutant.key, 'NOT EXPLAINED')}")
    for mutant, outcome in (
        (mutant, outcome) for mutant, outcome in outcomes if outcome in {TIMED_OUT, BROKEN}
    ):
        print(f"\n{outcome}: {mutant.file.relative_to(SOURCES)}:{mutant.line} {mutant.name}\n{mutant.change}")
    return all(mutant.key in reasons for mutant in survivors)


def main(arguments: list[str]) -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    parser = argparse.ArgumentParser(prog="mutants", description="Mutation tests of the library.")
    parser.add_argument(
        "files", nargs="*", help="of the library, as _core/timer.py; by default all configured"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many mutants run at once")
    parser.add_argument("--function", help="only of functions whose qualified name starts so")
    parser.add_argument(
        "--tests", nargs="+", default=settings["tests"], help="files of tests; by default all"
    )
    parser.add_argument("--all-tests", action="store_true", help="also the slow ones, which find little more")
    options = parser.parse_args(arguments)
    wanted = options.files or settings["files"]
    files = sorted({file for each in wanted for file in (SOURCES / "retryscope").glob(each)})
    mutants = [each for file in files for each in mutants_of(file)]
    if options.function:
        mutants = [each for each in mutants if each.name.startswith(options.function)]
    print(f"{len(mutants)} mutants of {len(files)} files", file=sys.stderr, flush=True)
    left_out = settings["left-out"] + ([] if options.all_tests else settings["slow"])
    plugin = Plugin(mutants, options.jobs)
    os.chdir(ROOT)
    pytest.main(
        [
            "-q",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "--no-header",
            "--override-ini=addopts=",
            "--override-ini=faulthandler_timeout=0",
            *(f"--deselect={each}" for each in left_out),
            *options.tests,
        ],
        plugins=[plugin],
    )
    complete = print_all(plugin.outcomes)
    if plugin.problem is not None or not plugin.outcomes:
        print(f"error: {plugin.problem or 'no mutant was run'}", file=sys.stderr)
        return 2
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
