"""Who asks: a browser that navigates, or a program that wants data."""

from collections.abc import Mapping
from typing import Final

_PAGE: Final = ("text/html", "application/xhtml+xml")
_DATA: Final = ("application/json", "text/plain", "application/openmetrics-text")


def prefers_page(accept: str) -> bool:
    """Whether an ``Accept`` header prefers HTML to what the API answers with.

    Of what is wanted equally, a type that is named wins over one that a wildcard includes: ``text/html, */*``
    prefers the page, ``*/*`` and ``text/html, application/json`` do not.
    """
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        name, quality = _range(part)
        ranges[name] = max(quality, ranges.get(name, 0.0))
    page = max(_rank(each, ranges) for each in _PAGE)
    return page[0] > 0 and page > max(_rank(each, ranges) for each in _DATA)


def _rank(media_type: str, ranges: Mapping[str, float]) -> tuple[float, int]:
    """Its quality by the range that says most about it, and how much that says."""
    for wildcards, name in enumerate((media_type, f"{media_type.partition('/')[0]}/*", "*/*")):
        if name in ranges:
            return ranges[name], -wildcards
    return 0.0, -3


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    given = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        quality = float(given)
    except ValueError:
        return name, 0.0
    return name, quality if 0 <= quality <= 1 else 0.0
