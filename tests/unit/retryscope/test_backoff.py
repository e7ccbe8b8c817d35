"""Delays: exponential growth, cap, jitter, and what a server asks for."""

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope.backoff import jittered, next_delay, parse_retry_after, retry_after_of

delays = st.floats(min_value=0, max_value=1e9)


@given(delays, st.integers())
def test_full_jitter_is_uniform_between_0_and_the_capped_delay(delay: float, seed: int) -> None:
    """asyncio.md 16: full jitter is ``U(0, min(cap, base * factor**n))``, applied after the cap."""
    assert jittered(delay, "full", Random(seed)) == Random(seed).uniform(0, delay)
    assert 0 <= jittered(delay, "full", Random(seed)) <= delay


@given(delays, st.integers())
def test_without_jitter_the_delay_is_the_capped_exponential_itself(delay: float, seed: int) -> None:
    """``jitter="none"`` draws nothing, so that a seeded source stays in step."""
    rng = Random(seed)
    state = rng.getstate()
    assert jittered(delay, "none", rng) == delay
    assert rng.getstate() == state


@given(
    base=st.floats(min_value=0.001, max_value=100),
    factor=st.floats(min_value=1, max_value=1000),
    cap=st.floats(min_value=0, max_value=1e7),
    n=st.integers(min_value=0, max_value=20),
)
def test_iterating_gives_the_formula(base: float, factor: float, cap: float, n: int) -> None:
    """``next_delay`` n times equals ``min(cap, base * factor**n)``."""
    delay = min(cap, base)
    for _ in range(n):
        delay = next_delay(delay, factor, cap)
    assert delay == pytest.approx(min(cap, base * factor**n))


def test_ten_thousand_doublings_do_not_overflow() -> None:
    """``2.0**1024`` raises OverflowError; the iteration stays at the cap."""
    delay = 1.0
    for _ in range(10_000):
        delay = next_delay(delay, 2.0, 60.0)
    assert delay == 60.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thursday, 01-Jan-70 00:02:00 GMT", 20.0),
        ("Thu Jan  1 00:02:00 1970", 20.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_an_http_date_in_any_of_its_three_formats(
    value: str, seconds: float
) -> None:
    """RFC 9110: a date in the past means now."""
    assert parse_retry_after(value, now=100.0) == seconds


@pytest.fixture
def far_from_utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "ABC+11"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("date", ["Thu Jan  1 00:02:00 1970", "Thu, 01 Jan 1970 00:02:00 -0000"])
def test_an_http_date_without_a_zone_is_in_utc_wherever_the_process_runs(date: str) -> None:
    """Otherwise a server's "in 20 s" becomes eleven hours."""
    assert parse_retry_after(date, now=100.0) == 20.0


@pytest.mark.parametrize(
    "value", ["", "soon", "-1", "1.5", "1e9", "²", "9" * 5000, "Thu, 99 Jan 1970 00:00:00 GMT"]
)
def test_anything_else_in_retry_after_is_ignored(value: str) -> None:
    """A server that answers nonsense must not break the client's retry."""
    assert parse_retry_after(value, now=0.0) is None


@given(st.text(), st.floats(min_value=0, max_value=4e9))
def test_no_retry_after_raises_or_asks_for_less_than_nothing(value: str, now: float) -> None:
    """Whatever the header holds: None, or finite seconds >= 0."""
    seconds = parse_retry_after(value, now)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


class _HeadersError(Exception):
    def __init__(self, headers: object) -> None:
        super().__init__()
        self.headers = headers


class _ResponseError(Exception):
    def __init__(self, response: object) -> None:
        super().__init__()
        self.response = response


class _SdkError(Exception):
    def __init__(self, retry_after: object) -> None:
        super().__init__()
        self.retry_after = retry_after


def _botocore(metadata: object) -> Exception:
    return _ResponseError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": metadata})


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (_HeadersError({"Retry-After": "3"}), 3.0),
        (_HeadersError({"retry-after": "3"}), 3.0),
        (_ResponseError(_HeadersError({"Retry-After": "3"})), 3.0),
        (_HeadersError({}), None),
        (_HeadersError({"Retry-After": 3}), 3.0),
        (_HeadersError({"Retry-After": ["3"]}), 3.0),
        (_HeadersError({"Retry-After": 10**400}), None),
        (_HeadersError(None), None),
        (_ResponseError(None), None),
        (_HeadersError([("Date", "1"), ("Retry-After", "3"), ("Retry-After", "soon")]), 3.0),
        (_HeadersError([(b"Server", b"\xe9"), (b"Retry-After", b"3")]), 3.0),
        (_HeadersError([(b"Retry-After", b"\xe9")]), None),
        (_botocore({"HTTPHeaders": {"retry-after": "3"}}), 3.0),
        (_botocore({}), None),
        (_botocore("none"), None),
        (ValueError("no"), None),
    ],
)
def test_the_header_is_found_on_the_error_or_on_its_response(error: Exception, seconds: float | None) -> None:
    """As aiohttp (``error.headers``) and httpx or requests (``error.response.headers``) carry it."""
    assert retry_after_of(error, now=0.0) == seconds


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        (0, 0.0),
        (0.5, 0.5),
        ("3", 3.0),
        (sys.float_info.max, sys.float_info.max),
        (math.inf, None),
        (-1, None),
        (True, None),
        (Path("3"), None),
    ],
)
def test_seconds_are_found_on_the_error_as_a_number_or_a_text(
    retry_after: object, seconds: float | None
) -> None:
    """As many SDKs carry them: ``error.retry_after``."""
    assert retry_after_of(_SdkError(retry_after), now=0.0) == seconds


def test_it_is_found_on_what_the_error_was_raised_for_up_to_what_was_being_handled_before() -> None:
    """An SDK's own error often wraps the client's; causes can go in a circle."""
    wrapped, handled = _SdkError(3), _SdkError(7)
    outer = ValueError("no")
    outer.__cause__ = ValueError("nor here")
    outer.__cause__.__context__ = wrapped
    assert retry_after_of(outer, now=0.0) == 3.0

    outer.__cause__ = handled
    assert retry_after_of(outer, now=0.0, handling=handled) is None
    assert retry_after_of(ValueError("no"), now=0.0, handling=handled) is None

    outer.__cause__ = circle = ValueError("again")
    circle.__context__ = outer
    assert retry_after_of(outer, now=0.0) is None
