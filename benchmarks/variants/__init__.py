"""The ways of retrying that are compared. All of them do the same work; some of them record it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from opentelemetry.sdk.trace import SpanProcessor

from benchmarks import peers

from .bare import BARE
from .retries import BACKOFF, STAMINA, TENACITY
from .retryscope import fast_path, fastotel, sdk_path
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
    "fastotel": fastotel,
    "sdk path": sdk_path,
    "fast path": fast_path,
}
NAMES: Final = (*UNINSTRUMENTED, *INSTRUMENTED)


def absent() -> dict[str, str]:
    """Variants that can't be measured here, and why."""
    return {} if peers.are_installed() else {"fastotel": peers.ABSENT}


def present(names: Iterable[str] = NAMES) -> tuple[str, ...]:
    """Those of the variants that can be measured here."""
    missing = absent()
    return tuple(name for name in names if name not in missing)


@contextmanager
def open_variant(name: str, endpoint: str, processors: Iterable[SpanProcessor] = ()) -> Iterator[Variant]:
    """The variant of that name; one that records tells the processors, and exports to that URL."""
    if name in UNINSTRUMENTED:
        yield UNINSTRUMENTED[name]
    else:
        with INSTRUMENTED[name](endpoint, processors) as variant:
            yield variant
