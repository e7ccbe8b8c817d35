"""Writes the dashboards: `python -m grafana [--output DIR]`."""

import argparse
import sys
from pathlib import Path

from grafana.dashboard import encode
from grafana.definitions import DASHBOARDS

OUTPUT = Path(__file__).parent / "dashboards"


def main(arguments: list[str] | None = None) -> int:
    """Write one JSON file per dashboard, named after its uid."""
    parser = argparse.ArgumentParser(prog="python -m grafana", description="Write the dashboards' JSON.")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, metavar="DIR", help="existing folder (default: %(default)s)"
    )
    output: Path = parser.parse_args(arguments).output
    if not output.is_dir():
        parser.error(f"--output {output} is no folder: make it, or leave the option out")
    for build in DASHBOARDS:
        built = build()
        (output / f"{built.build().uid}.json").write_text(encode(built), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
