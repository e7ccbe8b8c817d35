"""What a client would take, and how gladly: ``Accept`` and ``Accept-Encoding`` by RFC 9110, section 12."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_PAGE: Final = ("text/html", "application/xhtml+xml")
_DATA: Final = ("application/json", "text/plain", "application/openmetrics-text")

_QUOTED: Final = r'"(?:\\.|[^"\\])*"?'
_ELEMENT: Final = re.compile(rf'(?:{_QUOTED}|[^,"])+')
_PART: Final = re.compile(rf'(?:{_QUOTED}|[^;"])+')
_QUALITY: Final = re.compile(r"0(\.[0-9]*)?|1(\.0*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An element of the header.

    Attributes:
        name: A media type, a range of them, a coding, in small letters.
        parameters: By their names in small letters, but the quality.
        quality: From 0, not at all, to 1.
    """

    name: str
    parameters: Mapping[str, str]
    quality: float


@dataclass(frozen=True, slots=True)
class MediaType:
    """A form in which an answer can be given.

    Attributes:
        name: Type and subtype.
        parameters: What makes it differ from others of the name; whatever else a client names is no matter.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def match(self, wanted: Wanted) -> int:
        """How exactly an element of ``Accept`` means this; 0 if it does not."""
        names = ("*/*", f"{self.name.partition('/')[0]}/*", self.name)
        if wanted.name not in names:
            return 0
        named = {name: value for name, value in wanted.parameters.items() if name in self.parameters}
        if any(self.parameters[name] != value for name, value in named.items()):
            return 0
        return 1 + names.index(wanted.name) + len(named)


def read_wanted(header: str) -> list[Wanted]:
    """The elements in their order; those that make no sense are left out."""
    found = []
    for element in _ELEMENT.findall(header):
        name, *parts = (part.strip() for part in _PART.findall(element) or [""])
        pairs = (part.partition("=") for part in parts)
        parameters = {key.strip().lower(): value.strip().strip('"').lower() for key, _, value in pairs}
        quality = parameters.pop("q", "1")
        if name and _QUALITY.fullmatch(quality):
            found.append(Wanted(name.lower(), parameters, float(quality)))
    return found


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be sent.

    Attributes:
        media_type: One of those offered.
        wanted: The element that asks for it; None if none does.
    """

    media_type: MediaType
    wanted: Wanted | None = None


def choose(header: str, offered: Sequence[MediaType]) -> Choice | None:
    """What the client likes best of what is offered.

    Of what it likes equally, it is what it names more exactly, then earlier, then what is offered first. Who
    asks for nothing that there is gets the first that it does not refuse: better than no answer.

    Returns:
        None if all that is offered is refused (``q=0``).
    """
    elements = read_wanted(header)
    rated = [(rate(each, elements), -place, each) for place, each in enumerate(offered)]
    refused = [each for rating, _, each in rated if rating.refuses]
    (best, _, media_type) = max(rated, key=lambda each: each[:2])
    if best.quality > 0:
        return Choice(media_type, elements[-best.place])
    return next((Choice(each) for each in offered if each not in refused), None)


@dataclass(frozen=True, slots=True, order=True)
class Rating:
    """How gladly something is taken; the better one is the greater.

    Attributes:
        quality: 0 also if nothing is said about it.
        exactness: Of the element that says most about it; 0 if none does.
        place: Minus the position of that element.
    """

    quality: float = 0.0
    exactness: int = 0
    place: int = 0

    @property
    def refuses(self) -> bool:
        """Whether it is named, and not wanted."""
        return self.exactness > 0 and self.quality == 0


def rate(media_type: MediaType, elements: Sequence[Wanted]) -> Rating:
    """How gladly a type is taken: by the element that names it most exactly, of equal ones the best."""
    matching = [(media_type.match(wanted), wanted.quality, -place) for place, wanted in enumerate(elements)]
    exactness, quality, place = max(matching, default=(0, 0.0, 0))
    return Rating(quality, exactness, place) if exactness else Rating()


def prefers_page(accept: str) -> bool:
    """Whether an ``Accept`` header prefers HTML to what the API answers with.

    Of what is wanted equally, a type that is named wins over one that a wildcard includes: ``text/html, */*``
    prefers the page, ``*/*`` and ``text/html, application/json`` do not.
    """
    elements = read_wanted(accept)
    page = max(_liking(each, elements) for each in _PAGE)
    return page[0] > 0 and page > max(_liking(each, elements) for each in _DATA)


def _liking(name: str, elements: Sequence[Wanted]) -> tuple[float, int]:
    rating = rate(MediaType(name), elements)
    return rating.quality, rating.exactness


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an ``Accept-Encoding`` header wants gzip at least as much as no coding."""
    qualities = {each.name: each.quality for each in read_wanted(accept_encoding)}
    gzip = max((qualities[name] for name in ("gzip", "x-gzip") if name in qualities), default=None)
    if gzip is None:
        gzip = qualities.get("*", 0.0)
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)
