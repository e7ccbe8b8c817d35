"""An image built from a Dockerfile without a container engine: its instructions, carried out in a folder."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.chroot import Root
from tests.support.dockerfile import Instruction, Stage

_PATH = "/image/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """What an image is: a file system, and how to run in it."""

    root: Root
    variables: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    workdir: str = "/"
    user: str = "0:0"

    def command(self, words: list[str], **variables: str) -> list[str]:
        """What to start on the machine for a container of it, on a read-only file system."""
        return self.root.command(
            words,
            {"HOME": "/", **self.variables, **variables},
            workdir=self.workdir,
            user=self.user,
            read_only=True,
        )


class Builder:
    """Builds an image.

    Args:
        context: Folder with just the files that the build may see.
        folder: Where the file systems of the stages go.
    """

    def __init__(self, context: Path, folder: Path) -> None:
        self._context = context
        self._folder = folder
        self._built: dict[str, Image] = {}
        self._carry_out: dict[str, Callable[[Image, Instruction], Image]] = {
            "COPY": self._copy,
            "ENV": self._env,
            "RUN": self._run,
            "USER": lambda image, instruction: replace(image, user=instruction.text),
            "WORKDIR": self._workdir,
        }

    def build(self, stages: list[Stage]) -> Image:
        """Carry out all stages; the last one is the image."""
        for stage in stages:
            place = self._folder / stage.name
            if stage.base in self._built:
                base = self._built[stage.base]
                image = replace(base, root=base.root.copy_to(place))
            else:
                image = Image(Root.with_python(place))
            for instruction in stage.instructions:
                carry_out = self._carry_out.get(instruction.name)
                image = carry_out(image, instruction) if carry_out else image
            self._built[stage.name] = image
        return self._built[stages[-1].name]

    def _copy(self, image: Image, instruction: Instruction) -> Image:
        *sources, target = instruction.words
        source_image = self._built.get(instruction.flags.get("from", ""))
        place = image.root.path(os.path.join(image.workdir, target))  # noqa: PTH118 - inside the image
        for name in sources:
            source = source_image.root.path(name) if source_image else self._context / name
            if source.is_dir():
                shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
            else:
                is_folder = target.endswith("/") or len(sources) > 1
                into = place / source.name if is_folder else place
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, into)
        return image

    def _env(self, image: Image, instruction: Instruction) -> Image:
        variables = dict(image.variables)
        for word in instruction.words:
            name, _, value = word.partition("=")
            variables[name] = re.sub(r"\$(\w+)", lambda found: image.variables[found[1]], value)
        return replace(image, variables=variables)

    def _run(self, image: Image, instruction: Instruction) -> Image:
        mounts = {}
        for option in filter(None, [instruction.flags.get("mount")]):
            settings = dict(part.partition("=")[::2] for part in option.split(","))
            assert settings["type"] == "cache", f"{option}: only caches are known here"
            mounts[settings["target"]] = _CACHES[settings["target"]]()
        image.root.run(
            ["/bin/sh", "-c", instruction.text], image.variables, workdir=image.workdir, mounts=mounts
        )
        return image

    def _workdir(self, image: Image, instruction: Instruction) -> Image:
        image.root.path(instruction.text).mkdir(parents=True, exist_ok=True)
        return replace(image, workdir=instruction.text)


def _npm_cache() -> Path:
    place = Path(os.environ.get("npm_config_cache", "~/.npm")).expanduser()  # noqa: SIM112 - npm's spelling
    place.mkdir(parents=True, exist_ok=True)
    return place


def _pip_cache() -> Path:
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], check=True, capture_output=True, text=True
    )
    place = Path(asked.stdout.strip())
    place.mkdir(parents=True, exist_ok=True)
    return place


_CACHES = {"/var/cache/npm": _npm_cache, "/var/cache/pip": _pip_cache}
