"""Run files of tests by pytest, without those that do not apply."""

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from .result import Result


class _Outcomes:
    """A plugin that leaves tests out by name, and keeps what became of the others."""

    def __init__(self, result: Result, not_ours: Mapping[str, str]) -> None:
        self._result = result
        self._not_ours = not_ours
        self._unused = set(not_ours)

    def pytest_configure(self, config: pytest.Config) -> None:
        config.option.tbstyle = "short"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kept = []
        for item in items:
            case = item.nodeid.partition("::")[2]
            listed = {case, case.partition("[")[0]} & self._not_ours.keys()
            self._unused -= listed
            if listed:
                self._result.left_out[case] = self._not_ours[listed.pop()]
            else:
                kept.append(item)
        items[:] = kept
        self._result.stale.extend(sorted(self._unused))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self._result.failed.append(f"{report.nodeid}: {report.longreprtext}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._result.failed.append(
                f"{report.nodeid} is skipped, and not listed as one that does not apply"
            )
        elif report.failed:
            self._result.failed.append(f"{report.nodeid} ({report.when})\n{report.longreprtext}")
        elif report.when == "call":
            self._result.passed += 1


def run(
    what: str,
    folder: Path,
    files: Sequence[str],
    *,
    not_ours: Mapping[str, str],
    plugins: Sequence[object] = (),
) -> Result:
    """Run files of the folder `tests` in this folder, in this process."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # ours would run their coroutines, too
    result = Result(what)
    options = ["-c", os.devnull, "--rootdir", str(folder), "-W", "error", "-p", "no:cacheprovider"]
    options += ["-p", "no:terminal", "-p", "anyio"]  # stamina's coroutines are run by anyio
    paths = [str(folder / "tests" / file) for file in files]
    code = pytest.main([*options, *paths], [*plugins, _Outcomes(result, not_ours)])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        result.failed.append(f"{what}: pytest ended with {code!r}")
    return result


def leave_out_files(result: Result, folder: Path, files: Sequence[str], not_ours: Mapping[str, str]) -> None:
    """Account for the tests of coroutines in all the other files, by `file::name`, without importing them."""
    found: dict[str, bool] = {}
    for path in sorted((folder / "tests").rglob("*.py")):
        if (file := path.relative_to(folder / "tests").as_posix()) not in files:
            tree = ast.parse(path.read_bytes())
            found |= {f"{file}::{name}": is_async for name, is_async in _tests(tree)}
    result.stale.extend(sorted(not_ours.keys() - found.keys()))
    for name, is_async in found.items():
        if name in not_ours:
            result.left_out[name] = not_ours[name]
        elif is_async:
            result.failed.append(f"{name} tests a coroutine: it is neither run nor listed as not applying")


def _tests(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, bool]]:
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            yield from _tests(each, f"{prefix}{each.name}::")
        elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and each.name.startswith("test"):
            yield f"{prefix}{each.name}", isinstance(each, ast.AsyncFunctionDef)
