"""What a collector may answer: taken, refused, or cut off; never followed, never read without a bound."""

import gzip
import json

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_trace_id

from retryscope._recording.collector_session import MAX_ANSWER_BYTES, AnswerError, CollectorSession
from retryscope._recording.export import ExportProcessor
from tests.support.odd_collector import BUFFERED, PROTOBUF, answer, collector


def ask(url: str) -> tuple[requests.Response, list[int]]:
    """Send something as the exporter does; the answer, and the spans that were rejected."""
    rejected: list[int] = []
    with CollectorSession() as session:
        session.trust_env = False
        session.on_rejected = rejected.append
        response = session.request("POST", url, data=b"spans", timeout=5, allow_redirects=False)
        return response, rejected


@pytest.mark.parametrize("status", ["300 Multiple", "301 Moved", "302 Found", "304 Same", "307 T", "308 P"])
def test_a_redirect_is_a_failure(status: str) -> None:
    """Also one that leads nowhere. It is not followed: the spans are for the collector that was named."""
    with collector(b"") as elsewhere, collector(answer(status, f"Location: {elsewhere.url}")) as asked:
        with pytest.raises(AnswerError, match=r"status 3\d\d, a redirect"):
            ask(asked.url)
        assert (asked.requests, elsewhere.requests) == (1, 0)


@pytest.mark.parametrize("status", ["200 OK", "400 Bad", "413 Large", "500 Error", "503 Busy"])
def test_a_huge_answer_is_not_read(status: str) -> None:
    """Whatever it says; a success as long as that is none."""
    mebibyte = bytes(1_048_576)
    head = f"HTTP/1.1 {status}\r\n{PROTOBUF}\r\nContent-Length: {300 * len(mebibyte)}\r\n\r\n".encode()
    with collector(head, mebibyte, 300) as asked:
        if status == "200 OK":
            with pytest.raises(AnswerError, match=f"longer than {MAX_ANSWER_BYTES} bytes"):
                ask(asked.url)
        else:
            assert str(ask(asked.url)[0].status_code) == status[:3]
    assert asked.sent < BUFFERED * 3


def test_a_body_that_does_not_end_in_time_is_given_up() -> None:
    """A byte now and then keeps every single read from being late."""
    head = f"HTTP/1.1 200 OK\r\n{PROTOBUF}\r\nContent-Length: 9\r\n\r\n".encode()
    with collector(head, b"x", 8) as asked, CollectorSession(lambda: next(times)) as session:
        times = iter([0.0, 6.0])
        with pytest.raises(AnswerError, match="did not end in time"):
            session.request("POST", asked.url, data=b"spans", timeout=5, allow_redirects=False)


def test_what_the_collector_rejected_is_told() -> None:
    """In either encoding; a message alone rejects nothing."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3
    response.partial_success.error_message = "no"
    body = response.SerializeToString()
    with collector(answer("200 OK", PROTOBUF, body=body)) as asked:
        assert ask(asked.url)[1] == [3]
    text = json.dumps({"partialSuccess": {"rejectedSpans": "2"}}).encode()
    with collector(answer("200 OK", "Content-Type: application/json; charset=utf-8", body=text)) as asked:
        assert ask(asked.url)[1] == [2]


@pytest.mark.parametrize(
    "data",
    [
        answer("200 OK", PROTOBUF),
        answer("204 None"),
        answer("202 Accepted", "Content-Type: text/plain", body=b"ok"),
        answer("200 OK", "Content-Type: application/json", body=b"{}"),
    ],
)
def test_what_collectors_answer_is_a_success(data: bytes) -> None:
    """Some say nothing, some a word."""
    with collector(data) as asked:
        response, rejected = ask(asked.url)
    assert response.ok
    assert rejected == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (answer("200 OK", "Content-Type: text/html", body=b"<p>Welcome"), "a web page"),
        (answer("200 OK", PROTOBUF, body=b"\xff" * 9), "is no application/x-protobuf"),
        (answer("200 OK", "Content-Type: application/json", body=b"[1"), "is no application/json"),
        (answer("200 OK", "Content-Type: application/json", body=b"[]"), "is no application/json"),
    ],
)
def test_what_is_no_collector_is_a_failure(data: bytes, said: str) -> None:
    """The spans went nowhere."""
    with collector(data) as asked, pytest.raises(AnswerError, match=said):
        ask(asked.url)


def test_an_encoded_answer_is_not_decoded() -> None:
    """It was asked for without: a few bytes could be gigabytes."""
    bomb = gzip.compress(bytes(10_000_000))
    with (
        collector(answer("200 OK", PROTOBUF, "Content-Encoding: gzip", body=bomb)) as asked,
        pytest.raises(AnswerError),
    ):
        ask(asked.url)


@settings(max_examples=20)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", answer("200 OK", PROTOBUF)[:-2]])
)
def test_no_answer_harms_the_exporter(rest: bytes, start: bytes) -> None:
    """Whatever comes, it is a success or a failure; up to 1.39 the SDK's may raise, which counts as one."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("task price")
    assert format_trace_id(span.get_span_context().trace_id)
    span.end()
    with collector(start + rest) as asked, CollectorSession() as session:
        exporter = OTLPSpanExporter(endpoint=asked.url, session=session, timeout=0.5)
        lost: list[str] = []
        processor = ExportProcessor(exporter, lambda reason, spans: lost.append(reason))
        processor.on_end(span)  # type: ignore[arg-type]
        processor.shutdown()
        assert lost in ([], ["export_failed"])


def test_after_a_fork_it_asks_on_a_connection_of_its_own() -> None:
    """The answers on the open ones are the other process's."""
    closed: list[str] = []
    session = CollectorSession()
    for name, adapter in session.adapters.items():
        adapter.close = lambda name=name: closed.append(name)  # type: ignore[method-assign, misc]
    session.after_fork()
    assert closed == ["https://", "http://"]
