"""Requests to a collector: sent on one kept connection, retried where that helps, answers bounded.

For a collector that is reached by plain HTTP, as one on the same machine or in the same pod is, Python's own
client does it in a seventh of what ``requests`` takes. TLS, proxies, and passwords in the address or in
``.netrc`` are left to ``requests``, which the SDK's exporter uses too.
"""

from __future__ import annotations

import gzip
import math
import random
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http import Compression

from retryscope._recording.collector_session import (
    MAX_ANSWER_BYTES,
    AnswerError,
    CollectorSession,
    rejected_spans,
)
from retryscope.fork import tell_after_fork

MAX_TRIES: Final = 6
RETRIED: Final = frozenset({429, 502, 503, 504})
"""What passes, says OTLP's specification."""

_COMPRESS: Final[Mapping[Compression, Callable[[bytes], bytes]]] = {
    Compression.NoCompression: bytes,
    Compression.Gzip: partial(gzip.compress, compresslevel=6, mtime=0),
    Compression.Deflate: zlib.compress,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a collector has said.

    Attributes:
        status: Of HTTP.
        retry_after: The header, or nothing.
        rejected: Spans that it has taken the request without.
    """

    status: int
    retry_after: str = ""
    rejected: int = 0


class Transport(Protocol):
    """Sends one request."""

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send it.

        Raises:
            AnswerError: What answered is no collector.
            OSError: It can't be reached, or does not answer in time. That of ``requests`` is one, too.
            Exception: Of the client: what it says is not HTTP.
        """

    def close(self) -> None:
        """Close the connection; another request opens a new one."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has become of a request.

    Attributes:
        failure: Why it did not arrive; empty where it has.
        rejected: Spans that the collector has taken it without.
    """

    failure: str = ""
    rejected: int = 0


class Sender:
    """Sends requests to a collector, one at a time.

    Args:
        options: As :func:`~retryscope._recording.environment.otlp_options` has checked them.
        monotonic: The clock, in seconds.

    Attributes:
        timeout: Of a request with all its tries, in seconds.
    """

    def __init__(self, options: Mapping[str, Any], monotonic: Callable[[], float] = time.monotonic) -> None:
        self.timeout: float = options["timeout"]
        self._compress = _COMPRESS[options["compression"]]
        self._monotonic = monotonic
        self._transport = transport_for(options, monotonic)
        self._stopped = threading.Event()
        tell_after_fork(self)

    def after_fork(self) -> None:
        """The connection is the other process's."""
        self._transport.close()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Wait for no further try."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def send(self, request: bytes) -> Delivery:
        """Send it, and again within its time where the collector is busy or can't be reached."""
        body = self._compress(request)
        deadline = self._monotonic() + self.timeout
        failure = ""
        for tried in range(1, MAX_TRIES + 1):
            wait = 2 ** (tried - 1) * random.uniform(0.8, 1.2)
            try:
                answer = self._transport.post(body, max(deadline - self._monotonic(), 0.001))
            except AnswerError as error:
                return Delivery(str(error))
            except Exception as error:  # urllib3 has kinds of its own
                failure = f"{type(error).__name__}: {error}"
            else:
                if 200 <= answer.status < 300:
                    return Delivery(rejected=answer.rejected)
                failure = f"status {answer.status}"
                if 300 <= answer.status < 400:
                    failure += ", a redirect, which is not followed"
                if answer.status not in RETRIED:
                    return Delivery(failure)
                wait = retry_after(answer.retry_after, wait)
            too_late = tried == MAX_TRIES or self._monotonic() + wait > deadline
            if too_late or self._stopped.wait(wait):
                break
        return Delivery(failure)


def retry_after(header: str, otherwise: float) -> float:
    """Seconds to wait by a ``Retry-After`` header, be it a number or a date.

    >>> retry_after("2", 0.5), retry_after("", 0.5), retry_after("nan", 0.5)
    (2.0, 0.5, 0.5)
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, OSError):
            return otherwise
    return max(seconds, 0.0) if math.isfinite(seconds) else otherwise


def transport_for(options: Mapping[str, Any], monotonic: Callable[[], float]) -> Transport:
    """The cheap one where it does; else that of ``requests``."""
    prepared = requests.Request("POST", options["endpoint"]).prepare()
    url = str(prepared.url)
    parts = urlsplit(url)
    headers = {
        "user-agent": "retryscope",
        **options["headers"],  # in small letters
        "content-type": "application/x-protobuf",
        "accept-encoding": "identity",
    }
    if options["compression"] is not Compression.NoCompression:
        headers["content-encoding"] = options["compression"].value
    # As `requests` looks for them.
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    password = parts.username is not None or requests.utils.get_netrc_auth(url) is not None
    if parts.scheme == "http" and not proxy and not password and parts.hostname is not None:
        return PlainTransport(parts.hostname, parts.port or 80, prepared.path_url, headers, monotonic)
    session = CollectorSession(monotonic)
    session.verify = options["certificate_file"] or True
    certificate, key = options["client_certificate_file"], options["client_key_file"]
    session.cert = (certificate, key) if key else certificate
    return SessionTransport(session, url, headers)


class PlainTransport:
    """HTTP without TLS or proxy, on one connection."""

    def __init__(
        self, host: str, port: int, path: str, headers: Mapping[str, str], monotonic: Callable[[], float]
    ) -> None:
        self._path = path
        self._headers = headers
        self._monotonic = monotonic
        self._connection = HTTPConnection(host, port)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send a request."""
        deadline = self._monotonic() + timeout
        kept = self._connection.sock is not None
        try:
            try:
                response = self._ask(body, timeout)
            except ConnectionError:
                if not kept:
                    raise
                # A collector closes a connection on which nothing has come for a while.
                self._connection.close()
                response = self._ask(body, timeout)
            return self._read(response, deadline)
        except BaseException:
            self._connection.close()
            raise

    def _ask(self, body: bytes, timeout: float) -> HTTPResponse:
        self._connection.timeout = timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        self._connection.request("POST", self._path, body, self._headers)
        return self._connection.getresponse()

    def _read(self, response: HTTPResponse, deadline: float) -> Answer:
        retry_after = response.getheader("Retry-After", "")
        if not 200 <= response.status < 300:
            # What it says beside that helps nobody, and may have no end.
            self._connection.close()
            return Answer(response.status, retry_after)
        body = b""
        while piece := response.read1(MAX_ANSWER_BYTES + 1 - len(body)):
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise AnswerError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
            if self._monotonic() > deadline:
                raise AnswerError("the answer did not end in time")
        if response.length:
            raise AnswerError("the answer was cut off")
        response.close()  # else the connection waits for more of it
        return Answer(
            response.status, retry_after, rejected_spans(response.getheader("Content-Type", ""), body)
        )


class SessionTransport:
    """By ``requests``."""

    def __init__(self, session: CollectorSession, url: str, headers: Mapping[str, str]) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._rejected = 0
        session.on_rejected = self._reject

    def _reject(self, spans: int) -> None:
        self._rejected = spans

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send a request."""
        self._rejected = 0
        response = self._session.post(
            self._url, data=body, headers=self._headers, timeout=timeout, allow_redirects=False
        )
        return Answer(response.status_code, response.headers.get("Retry-After", ""), self._rejected)
