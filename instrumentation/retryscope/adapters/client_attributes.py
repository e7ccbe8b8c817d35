"""Attributes of a client's span, by the OpenTelemetry HTTP conventions; what requests share is built once."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_plus

from yarl import URL

from retryscope import semconv
from retryscope._recording.attributes import AttributeSet
from retryscope._recording.recorder import Attributes
from retryscope.printable import MAX_MESSAGE, capped, encodable, shown

_SECRET: Final = frozenset(
    {
        "awsaccesskeyid",
        "sig",
        "signature",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "x-goog-signature",
    }
)
"""Keys of a query whose values let whoever reads them in: the convention's, and AWS's present ones."""

_MOST: Final = 1_024
"""Combinations that are remembered at once; when there are too many, those that repeat are soon back."""


class KnownAttributes:
    """Attributes that were asked for before, encoded: the next request to a server differs in its URL."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str | None, int | None], AttributeSet] = {}
        self._answers: dict[tuple[int, str], AttributeSet] = {}

    def attributes_of(self, method: str, url: URL, attempt: int) -> Attributes:
        """Those that are known when a request is sent.

        Args:
            method: Of the request.
            url: Likewise.
            attempt: Number of the enclosing attempt, from 1; 0: none.
        """
        known = self._of_server(method, url).plus(semconv.URL_FULL, safe(url))
        more: dict[str, str | int] = {}
        if method not in semconv.HTTP_METHODS:
            more[semconv.HTTP_REQUEST_METHOD_ORIGINAL] = shown(method)
        if attempt > 1:
            more[semconv.HTTP_RESEND_COUNT] = attempt - 1
        return {**known, **more} if more else known

    def _of_server(self, method: str, url: URL) -> AttributeSet:
        key = (semconv.known_method(method), url.host, url.port)
        known = self._requests.get(key)
        if known is None:
            values: dict[str, str | int] = {semconv.HTTP_REQUEST_METHOD: key[0]}
            if url.host is not None:
                values[semconv.SERVER_ADDRESS] = url.host
            if url.port is not None:
                values[semconv.SERVER_PORT] = url.port
            known = AttributeSet(values)
            if len(self._requests) >= _MOST:
                self._requests.clear()
            self._requests[key] = known
        return known

    def answer(self, status: int, version: str) -> AttributeSet:
        """What is known when it is answered; a server has at most 900 statuses."""
        known = self._answers.get((status, version))
        if known is None:
            said: dict[str, str | int] = {semconv.HTTP_RESPONSE_STATUS_CODE: status}
            if version:
                said[semconv.NETWORK_PROTOCOL_VERSION] = version
            if status >= 400:
                said[semconv.ERROR_TYPE] = str(status)
            known = self._answers[status, version] = AttributeSet(said)
        return known


def safe(url: URL) -> str:
    """A URL without what lets its reader in: user, password, and the values of signatures in its query.

    >>> safe(URL("https://ada:secret@shop.example/a?colour=blue&sig=c2lnbmF0dXJl"))
    'https://shop.example/a?colour=blue&sig=REDACTED'
    """
    if url.raw_user is not None or url.raw_password is not None:
        url = url.with_user(None)
    before, mark, after = str(url).partition("?")
    if mark:
        query, sharp, fragment = after.partition("#")
        after = "&".join(map(_redacted, query.split("&"))) + sharp + fragment
    return capped(encodable(f"{before}{mark}{after}"), MAX_MESSAGE)


def _redacted(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    return f"{key}=REDACTED" if equals and unquote_plus(key).lower() in _SECRET else pair
