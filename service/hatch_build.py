"""Builds the page, and packs it with what the service reads at run time but an operator looks for elsewhere.

In a clone these files lie beside this folder; in a source distribution inside it, with the page built.
"""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("deploy/alertmanager", "deploy/prometheus", "docs/runbook.md", "web/dist")
"""`retryscope_service/resources.py` finds them."""


def page_builder(top: Path) -> ModuleType | None:
    """What builds the page, where there are sources of it."""
    file = top / "scripts" / "build_page.py"
    spec = importlib.util.spec_from_file_location("build_page", file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Pack(BuildHookInterface[Any]):
    """The build backend's hook."""

    def dependencies(self) -> list[str]:
        """What pip has to install for the build, besides hatchling."""
        builder = page_builder(Path(self.root).parent)
        return builder.requirements() if builder else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, and pack it with the rest."""
        clone = Path(self.root).parent
        builder = page_builder(clone)
        if builder:
            try:
                builder.build_for_package(self.app.display_warning)
            except builder.PageError as error:
                self.app.abort(str(error))
        if version == "editable":  # there they are found at their own places
            return
        top = clone if builder else Path(self.root)
        place = "retryscope_service/_resources/" if self.target_name == "wheel" else ""
        for name in SHIPPED:
            if (top / name).exists():
                build_data["force_include"][str(top / name)] = f"{place}{name}"
