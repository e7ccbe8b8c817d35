"""The programs that a stack needs, found on the PATH."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from retryscope_service.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Programs:
    """Where they are."""

    prometheus: Path
    alertmanager: Path

    @classmethod
    def find(cls) -> "Programs":
        """Find them.

        Raises:
            StackError: Which are missing, and the Debian packages that bring them.
        """
        # Debian has renamed Alertmanager, its own releases have not.
        found = {
            "prometheus": _first("prometheus"),
            "prometheus-alertmanager": _first("prometheus-alertmanager", "alertmanager"),
        }
        missing = [package for package, path in found.items() if path is None]
        prometheus, alertmanager = found.values()
        if prometheus is None or alertmanager is None:
            raise StackError(
                f"{' and '.join(missing)} not found on the PATH; Debian and Ubuntu:"
                f" apt-get install {' '.join(missing)}"
            )
        return cls(prometheus, alertmanager)


def _first(*names: str) -> Path | None:
    paths = (shutil.which(name) for name in names)
    return next((Path(path) for path in paths if path is not None), None)
