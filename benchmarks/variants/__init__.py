"""The ways of retrying that are compared. All of them do the same work; some of them record it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from opentelemetry.sdk.trace import SpanProcessor

from .bare import BARE
from .peers import BACKOFF, STAMINA, TENACITY
from .retryscope import retryscope
from .textbook import textbook
from .variant import Variant

UNINSTRUMENTED: Final[Mapping[str, Variant]] = {
    "bare loop": BARE,
    "backoff": BACKOFF,
    "stamina": STAMINA,
    "tenacity": TENACITY,
}
INSTRUMENTED: Final[
    Mapping[str, Callable[[str, Iterable[SpanProcessor]], AbstractContextManager[Variant]]]
] = {
    "textbook": textbook,
    "retryscope": retryscope,
}
NAMES: Final = (*UNINSTRUMENTED, *INSTRUMENTED)


@contextmanager
def open_variant(name: str, endpoint: str, processors: Iterable[SpanProcessor] = ()) -> Iterator[Variant]:
    """The variant of that name; one that records tells the processors, and exports to that URL."""
    if name in UNINSTRUMENTED:
        yield UNINSTRUMENTED[name]
    else:
        with INSTRUMENTED[name](endpoint, processors) as variant:
            yield variant
