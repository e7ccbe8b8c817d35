"""One colour per meaning, the same on every dashboard; the legend says it in words."""

from collections.abc import Mapping

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

Colours = Mapping[str, str]

BLUE, RED, DARK_RED, ORANGE, PURPLE = "blue", "red", "dark-red", "orange", "purple"
GREEN, GREY = "green", "#6e7681"

OUTCOMES: Colours = {
    "success": BLUE,
    "error": RED,
    "exhausted": DARK_RED,
    "timeout": ORANGE,
    "cancelled": PURPLE,
}
CLEANUP_OUTCOMES: Colours = {"completed": BLUE, "failed": RED, "timed_out": ORANGE}
GIVEUP_REASONS: Colours = {
    "max_attempts": DARK_RED,
    "deadline": ORANGE,
    "budget": "yellow",
    "non_retryable": RED,
}
CANCEL_CAUSES: Colours = {
    "request": PURPLE,
    "client_disconnect": BLUE,
    "sibling": RED,
    "deadline": ORANGE,
    "shutdown": "yellow",
}
RUN_STATES: Colours = {
    "queued": "yellow",
    "running": "green",
    "cancelling": "light-purple",
    "succeeded": BLUE,
    "failed": RED,
    "cancelled": PURPLE,
    "lost": DARK_RED,
}


def fixed(colour: str) -> DynamicConfigValue:
    """The property that gives a series its colour."""
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})
