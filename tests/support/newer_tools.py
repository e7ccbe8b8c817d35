"""Tools that `scripts/newer-debian-tools` fetches, because the Debian that is tested on lacks them."""

from pathlib import Path

from tests.conftest import ROOT, cannot_run


def newer_debian_tool(name: str) -> Path:
    """The path of one of them; the test is skipped where it was not fetched, and fails in CI."""
    found = ROOT / ".tools" / "bin" / name
    if not found.is_file():
        cannot_run(f"needs {name} of a newer Debian: run make tools")
    return found
