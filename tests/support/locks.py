"""The locks of Python packages, read, and what they lack."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Entry:
    """A package of a lock: its version, where it is wanted, and its hashes."""

    version: str
    marker: str
    hashes: frozenset[str]

    def is_for(self, environment: dict[str, str]) -> bool:
        return not self.marker or Marker(self.marker).evaluate(environment)


Lock = dict[str, Entry]


def read_lock(path: Path) -> Lock:
    text = re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE)
    entry = re.compile(
        r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\\n]+?))?"
        r"(?P<hashes>(?: \\\n +--hash=sha256:[0-9a-f]{64})*)$",
        re.MULTILINE,
    )
    found = {
        each["name"]: Entry(
            each["version"], each["marker"] or "", frozenset(re.findall(r"sha256:\w+", each["hashes"]))
        )
        for each in entry.finditer(text)
    }
    assert len(found) == len(re.findall(r"^\S", text, re.MULTILINE)), "an entry that is not name==version"
    return found


def environments() -> Iterator[dict[str, str]]:
    """Those of markers that set-up is for."""
    for version in ("3.11.0", "3.11.3", "3.12.0", "3.13.0", "3.14.0"):
        minor = version.rpartition(".")[0]
        yield {
            "implementation_name": "cpython",
            "implementation_version": version,
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": version,
            "python_version": minor,
            "sys_platform": "linux",
        }


def lacks(
    lock: Lock,
    wanted: Iterable[Requirement],
    requirements_of: Callable[[str], Iterable[str]],
    environment: dict[str, str],
) -> list[str]:
    """What pip would have to look for beside the lock, for what is wanted and all that this needs."""
    found: list[str] = []
    seen: set[tuple[str, str]] = set()
    todo = [("pyproject.toml", each, "") for each in wanted]
    while todo:
        by, requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({**environment, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        entry = lock.get(name)
        if entry is None or not entry.is_for(environment):
            found.append(f"{by} needs {requirement}, which is not in the lock")
            continue
        if not requirement.specifier.contains(entry.version, prereleases=True):
            found.append(f"{by} needs {requirement}, and the lock has {entry.version}")
        for each in {"", *requirement.extras}:
            if (name, each) not in seen:
                seen.add((name, each))
                todo += [(name, Requirement(text), each) for text in requirements_of(name)]
    return found
