"""Files that the service reads at run time but that lie where an operator looks for them."""

from pathlib import Path

_SERVICE = Path(__file__).parent


def shipped(name: str) -> Path:
    """A file or folder of the repository, wherever it was installed.

    In a wheel they lie below ``service/_shipped``; in a checkout at their own place.

    Args:
        name: Path from the top of the repository, for example ``deploy/prometheus/prometheus.yml``.

    Raises:
        FileNotFoundError: It was not shipped: `pyproject.toml` lists what is.
    """
    for root in (_SERVICE / "_shipped", _SERVICE.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is not part of this installation of retryscope")
