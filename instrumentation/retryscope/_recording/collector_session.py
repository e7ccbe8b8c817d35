"""What a collector may answer: a bounded body in bounded time, from where it was asked, and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from retryscope.fork import tell_after_fork

MAX_ANSWER_BYTES: Final = 65_536
"""Longest answer that is read; a collector's has a few bytes, or a message of a line."""
DEFAULT_TIMEOUT: Final = 10.0
"""Of a request without one, in seconds."""


class AnswerError(requests.RequestException):
    """What answered is no collector, or not the one that was asked. Asking again would not help."""


class CollectorSession(requests.Session):
    """A session for the OTLP exporter, which by itself takes a redirect for a success and reads any body.

    Args:
        monotonic: The clock, in seconds.

    Attributes:
        on_rejected: Called with the number of spans that the collector has taken a request without.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self.headers["Accept-Encoding"] = "identity"
        self.on_rejected: Callable[[int], None] = lambda _: None
        tell_after_fork(self)

    def after_fork(self) -> None:
        """Answers on the connections that are open belong to the other process."""
        for adapter in self.adapters.values():
            adapter.close()

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request; of the answer only what a collector says is read.

        Raises:
            AnswerError: A redirect, or a body that is too long, too slow, or not a collector's.
        """
        timeout = kwargs.get("timeout")
        deadline = self._monotonic() + (DEFAULT_TIMEOUT if timeout is None else timeout)
        response = super().send(request, **{**kwargs, "stream": True, "allow_redirects": False})
        try:
            if 300 <= response.status_code < 400:
                raise AnswerError(f"status {response.status_code}, a redirect, which is not followed")
            response._content = b""
            if response.status_code < 300:
                body = self._read(response, deadline)
                if rejected := rejected_spans(response.headers.get("Content-Type", ""), body):
                    self.on_rejected(rejected)
        finally:
            # What was read to its end keeps its connection; of anything else nothing more is read.
            response.close()
        return response

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        body = b""
        while piece := response.raw.read1(MAX_ANSWER_BYTES + 1 - len(body), decode_content=False):
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise AnswerError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
            if self._monotonic() > deadline:
                raise AnswerError("the answer did not end in time")
        return body


def rejected_spans(content_type: str, body: bytes) -> int:
    """How many spans a collector has taken a request without, by the answer to it.

    >>> rejected_spans("application/json", b'{"partialSuccess": {"rejectedSpans": "2"}}')
    2

    Raises:
        AnswerError: It is no collector's.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/html":
        raise AnswerError("the answer is a web page: there is no collector at this address")
    try:
        return max(_rejected(kind, body), 0)
    except (ValueError, TypeError, AttributeError) as error:
        raise AnswerError(f"the answer is no {kind}") from error


def _rejected(kind: str, body: bytes) -> int:
    if kind == "application/x-protobuf":
        try:
            return ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans
        except Exception as error:  # google.protobuf's, which is no dependency of our own
            raise ValueError from error
    if kind == "application/json" and body:
        return int((json.loads(body).get("partialSuccess") or {}).get("rejectedSpans", 0))
    return 0
