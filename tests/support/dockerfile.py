"""A Dockerfile read into stages and instructions, and a build context filtered by .dockerignore."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: In capitals.
        flags: Its options, as ``--from=build``.
        text: What follows them, continued lines joined.
    """

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the text, or of the JSON list that it is."""
        if self.is_exec_form:
            words: list[str] = json.loads(self.text)
            return words
        return shlex.split(self.text)

    @property
    def is_exec_form(self) -> bool:
        """Whether it runs a program, not a shell."""
        return self.text.startswith("[")


@dataclass(frozen=True)
class Stage:
    """What lies between two FROM."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """Its instructions of one name."""
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        """The one that counts."""
        return self.all(name)[-1]


def read_dockerfile(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    stages: list[Stage] = []
    for line in _logical_lines(text):
        instruction = _instruction(line)
        if instruction.name == "FROM":
            base, *rest = instruction.words
            stages.append(Stage(base, rest[1] if rest else str(len(stages))))
        else:
            stages[-1].instructions.append(instruction)
    return stages


def _logical_lines(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if line.strip():
            yield line.strip()


def _instruction(line: str) -> Instruction:
    name, _, text = line.partition(" ")
    flags = {}
    while flag := re.match(r"--([\w-]+)=(\S+)\s+", text):
        flags[flag[1]] = flag[2]
        text = text[flag.end() :]
    return Instruction(name.upper(), flags, text.strip())


def build_context(names: Iterable[str], ignore: Path) -> list[str]:
    """The files that a build may see: the last pattern of .dockerignore that matches one decides."""
    patterns = [
        line.strip() for line in ignore.read_text().splitlines() if line.strip() and not line.startswith("#")
    ]
    return [name for name in names if not _ignored(name, patterns)]


def _ignored(name: str, patterns: list[str]) -> bool:
    ignored = False
    for pattern in patterns:
        if _matches(name, pattern.removeprefix("!")):
            ignored = not pattern.startswith("!")
    return ignored


def _matches(name: str, pattern: str) -> bool:
    """Whether the pattern names the file or a folder above it; `*` stays within one folder."""
    anywhere = pattern.startswith("**/")
    wanted = pattern.removeprefix("**/").split("/")
    parts = name.split("/")
    starts = range(len(parts)) if anywhere else range(1)
    return any(
        len(parts) - start >= len(wanted)
        and all(re.match(translate(want), part) for want, part in zip(wanted, parts[start:], strict=False))
        for start in starts
    )
