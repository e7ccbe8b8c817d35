"""How long HTTP requests take, those that are answered and those that are sent; their labels are bounded."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Histogram

from retryscope import semconv
from retryscope._prometheus.cells import Distribution, distribution_of
from retryscope.families import histogram

MAX_SERVERS: Final = 100
"""Distinct servers, by address and port, that requests are sent to; further ones become ``_OTHER``."""
MAX_CLIENT_ERRORS: Final = 16
"""Distinct classes of errors that end requests without an answer; further ones become ``_OTHER``."""

_STATUSES: Final = frozenset(str(status.value) for status in HTTPStatus)

Labels = tuple[str, ...]
_Value = TypeVar("_Value", str, tuple[str, str])


class HttpMetrics:
    """The two families, and their children.

    Args:
        registry: Where the families are registered.
        folded: Called with the label whose value became ``_OTHER``.
    """

    def __init__(self, registry: CollectorRegistry, folded: Callable[[str], None]) -> None:
        self._server = histogram(semconv.HTTP_SERVER_DURATION, registry)
        self._client = histogram(semconv.HTTP_CLIENT_DURATION, registry)
        self._folded = folded
        self._answered: dict[Labels, Distribution] = {}
        self._sent: dict[Labels, Distribution] = {}
        self._servers: set[tuple[str, str]] = set()
        self._errors: set[str] = set()

    def answered(self, labels: Labels) -> Distribution:
        """Durations of requests to this server; what is in its labels is the server's own choice."""
        return _child(self._answered, self._server, labels)

    def sent(self, method: str, address: str, port: str, status: str, error: str) -> Distribution:
        """Durations of requests to other servers, whose addresses and answers are theirs.

        Args:
            method: A known one, or ``_OTHER``.
            address: Of the server.
            port: Likewise.
            status: Of the answer; empty without one.
            error: The status where it says so, or the class of what was raised; empty without either.
        """
        child = self._sent.get((method, address, port, status, error))
        if child is not None:
            return child
        if not _is_among(self._servers, (address, port), MAX_SERVERS):
            self._folded("server_address")
            address, port = semconv.OTHER, ""
        if status and status not in _STATUSES:
            self._folded("http_response_status_code")
            status, error = semconv.OTHER, error and semconv.OTHER
        elif error and error != status and not _is_among(self._errors, error, MAX_CLIENT_ERRORS):
            self._folded("error_type")
            error = semconv.OTHER
        return _child(self._sent, self._client, (method, address, port, status, error))


def _is_among(known: set[_Value], value: _Value, most: int) -> bool:
    if len(known) < most:
        known.add(value)
    return value in known


def _child(known: dict[Labels, Distribution], family: Histogram, labels: Labels) -> Distribution:
    child = known.get(labels)
    if child is None:
        child = known[labels] = distribution_of(family.labels(*labels))
    return child
