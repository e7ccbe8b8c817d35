"""How long to wait before the next attempt: exponential backoff, jitter, ``Retry-After``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random
from typing import Literal

from retryscope.foreign import cause_of, peek

Jitter = Literal["full", "none"]
"""``full``: a uniform draw between 0 and the capped delay; ``none``: the capped delay itself."""


def jittered(delay: float, jitter: Jitter, rng: Random) -> float:
    """Spread a capped exponential delay so that clients don't come back together.

    ``full`` is ``U(0, delay)``, applied after the cap, from M. Brooker, "Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015: it needs the fewest calls of the variants compared there.

    Args:
        delay: Seconds, >= 0; ``min(cap, base * factor**n)``.
        jitter: The variant.
        rng: Source of randomness.

    >>> jittered(4.0, "none", Random(1))
    4.0
    >>> 0 <= jittered(4.0, "full", Random(1)) <= 4.0
    True
    """
    return rng.uniform(0.0, delay) if jitter == "full" else delay


def next_delay(delay: float, factor: float, cap: float) -> float:
    """The next term of ``min(cap, base * factor**n)``, by iteration: ``2.0**1024`` would raise.

    >>> next_delay(4.0, 2.0, 5.0)
    5.0
    """
    return min(cap, delay * factor)


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, section 10.2.3), or None if it is no such.

    Args:
        value: A number of seconds, or an HTTP-date.
        now: Wall clock, in seconds since the epoch; for the date.

    >>> parse_retry_after("120", now=0.0)
    120.0
    >>> parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=10.0)
    50.0
    >>> parse_retry_after("soon", now=0.0) is None
    True
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:  # an HTTP-date that names no zone is in UTC, not in ours
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, OverflowError):
        return None


def retry_after_of(
    error: BaseException, now: float, *, handling: BaseException | None = None
) -> float | None:
    """Seconds that the failed server asked to wait, where the exception carries its response headers.

    Understands what the usual clients raise: a ``headers`` mapping or list of pairs, in any case, on the
    exception (``aiohttp.ClientResponseError``, ``urllib.error.HTTPError``) or on its ``response``
    (``httpx.HTTPStatusError``, ``requests.HTTPError``; botocore's is a dictionary), a ``retry_after`` in
    seconds, as many SDKs have it, and all these on the exception that was the cause of this one.

    Args:
        error: What the attempt raised.
        now: Wall clock, in seconds since the epoch.
        handling: What was being handled before the call that failed: it is the context of whatever is raised
            then, and no reason.

    >>> class Busy(Exception):
    ...     headers = {"RETRY-AFTER": "7"}
    >>> retry_after_of(Busy(), now=0.0)
    7.0
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        for value in _values(link):
            if (seconds := _seconds(value, now)) is not None:
                return seconds
        link = cause_of(link)
        if link is handling:
            return None
    return None


def _values(error: BaseException) -> Iterator[object]:
    yield from _of_headers(peek(error, "headers"))
    response = peek(error, "response")
    if response is not None:
        yield from _of_headers(peek(response, "headers"))
        yield from _of_headers(_of_botocore(response))
    yield peek(error, "retry_after")


def _of_botocore(response: object) -> object:
    metadata = response.get("ResponseMetadata") if isinstance(response, dict) else None
    return metadata.get("HTTPHeaders") if isinstance(metadata, dict) else None


def _of_headers(headers: object) -> Iterator[object]:
    """Values of the header, whatever the headers are kept in."""
    if headers is None:  # as a rule, and what is raised below would cost more than a span
        return
    try:
        pairs = headers if isinstance(headers, (list, tuple)) else headers.items()  # type: ignore[attr-defined]
        found: list[object] = []
        for name, value in pairs:
            if _text(name).lower() == "retry-after":
                found += value if isinstance(value, (list, tuple)) else (value,)
    except Exception:  # somebody else's class, or no pairs
        return
    yield from found


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _seconds(value: object, now: float) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 <= value <= sys.float_info.max else None
    return parse_retry_after(_text(value), now) if isinstance(value, (str, bytes)) else None
