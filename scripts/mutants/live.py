"""How a mutant is put in place of what has been imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from scripts.mutants.changes import SOURCES, Mutant

FUTURE_ANNOTATIONS = 0x1000000
"""As the modules have it: what is an annotation there is not evaluated here either."""


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
                if len(function.__code__.co_freevars) == len(inner.co_freevars):
                    function.__code__ = inner  # else it can't be: what is made from now on is changed


def _inner(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _inner(each)
