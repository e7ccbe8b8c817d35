"""Where settings come from: the environment, and files with secrets."""

import os
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SecretsSettingsSource, SettingsError


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Empty means unset, as with OpenTelemetry's variables; an empty token stays, and is refused."""
    return {name: value for name, value in values.items() if value != "" or name == "api_token"}


class Environment(EnvSettingsSource):
    """The variables that are set to something."""

    def __call__(self) -> dict[str, Any]:
        return _without_empty(super().__call__())


class SecretFiles(SecretsSettingsSource):
    """The files in a folder, if there is one that this user may look into."""

    def __init__(self, settings_cls: type[BaseSettings], folder: Path) -> None:
        self._folder = folder
        readable = folder.is_dir() and os.access(folder, os.X_OK)
        super().__init__(settings_cls, folder if readable else None)

    def __call__(self) -> dict[str, Any]:
        try:
            return _without_empty(super().__call__())
        except SettingsError as error:
            raise ValueError(f"a setting can't be read from {self._folder}: {error.__cause__}") from error

    @classmethod
    def find_case_path(
        cls,
        dir_path: Path,
        file_name: str,
        case_sensitive: bool,  # noqa: ARG003
    ) -> Path | None:
        """The file; the folder may be one that only some may list."""
        path = dir_path / file_name
        return path if path.exists() else None
