"""Files that the service reads at run time but that lie where an operator looks for them."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def place(name: str) -> Path:
    """Where a file or folder of the repository lies, or would lie.

    In a wheel that is below ``retryscope_service/_resources``; in a checkout its own place.

    Args:
        name: Path from the top of the repository, for example ``deploy/prometheus/prometheus.yml``.
    """
    packed = _PACKAGE / "_resources" / name
    return packed if packed.exists() else _PACKAGE.parents[1] / name


def resource(name: str) -> Path:
    """A file or folder of the repository, wherever it was installed.

    Raises:
        FileNotFoundError: It was not shipped: `service/hatch_build.py` lists what is.
    """
    found = place(name)
    if not found.exists():
        raise FileNotFoundError(f"{name} is not part of this installation of retryscope")
    return found
