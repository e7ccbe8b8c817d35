"""The specifications: for each scenario the request, the answer, the whole trace, every metric's change."""

from pathlib import Path

FOLDER = Path(__file__).with_name("specifications")


def specified(scenario: str) -> str:
    """The text that a scenario's ``Observed.text`` has to be."""
    return (FOLDER / f"{scenario}.txt").read_text()
