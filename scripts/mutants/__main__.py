"""`make mutants`."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib

import pytest

from scripts.mutants.changes import ROOT, SOURCES, mutants_of
from scripts.mutants.run import Plugin
from scripts.mutants.score import print_all


def main(arguments: list[str]) -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    parser = argparse.ArgumentParser(prog="mutants", description="Mutation tests of the library.")
    parser.add_argument(
        "files", nargs="*", help="of the library, as _core/timer.py; by default all configured"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many mutants run at once")
    parser.add_argument("--functions", nargs="+", help="only of those whose qualified names start so")
    parser.add_argument(
        "--tests", nargs="+", default=settings["tests"], help="files of tests; by default all"
    )
    parser.add_argument("--all-tests", action="store_true", help="also the slow ones, which find little more")
    options = parser.parse_args(arguments)
    wanted = options.files or settings["files"]
    files = sorted({file for each in wanted for file in (SOURCES / "retryscope").glob(each)})
    mutants = [each for file in files for each in mutants_of(file)]
    if options.functions:
        mutants = [each for each in mutants if each.name.startswith(tuple(options.functions))]
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
