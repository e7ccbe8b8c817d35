"""Writes the dashboards: `python -m grafana [--output DIR] [--importable DIR]`."""

import argparse
import sys
from pathlib import Path

from grafana import importable
from grafana.boards import DASHBOARDS
from grafana.dashboard import encode

OUTPUT = Path(__file__).parent / "dashboards"
IMPORTABLE = Path(__file__).parent / "importable"


def main(arguments: list[str] | None = None) -> int:
    """Write two JSON files per dashboard, named after its uid: one to be provisioned, one to be imported."""
    parser = argparse.ArgumentParser(prog="python -m grafana", description="Write the dashboards' JSON.")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, metavar="DIR", help="existing folder (default: %(default)s)"
    )
    parser.add_argument(
        "--importable",
        type=Path,
        default=IMPORTABLE,
        metavar="DIR",
        help="existing folder for what Grafana's import asks data sources for (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    for option in ("output", "importable"):
        folder: Path = getattr(options, option)
        if not folder.is_dir():
            parser.error(f"--{option} {folder} is no folder: make it, or leave the option out")
    for build in DASHBOARDS:
        built = build()
        name, text = f"{built.build().uid}.json", encode(built)
        (options.output / name).write_text(text, encoding="utf-8")
        (options.importable / name).write_text(importable.variant(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
