"""Requests to a collector: on one connection, tried again where that helps, answers bounded."""

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from retryscope._recording.collector_session import MAX_ANSWER_BYTES
from retryscope._recording.sender import (
    MAX_TRIES,
    RETRIED,
    Answer,
    Delivery,
    PlainTransport,
    Sender,
    SessionTransport,
    retry_after,
    transport_for,
)
from tests.support.odd_collector import BUFFERED, PROTOBUF, answer, collector
from tests.support.otlp_receiver import otlp_receiver, reserved_port


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", "/nowhere")


def options(endpoint: str, **others: Any) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "headers": {},
        "timeout": 5.0,
        "compression": Compression.NoCompression,
        "certificate_file": None,
        "client_key_file": None,
        "client_certificate_file": None,
        **others,
    }


class Scripted:
    """A transport, and the clock of its sender: an answer is given, or raised."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self._answers: Iterator[Answer | Exception] = iter(answers)
        self.bodies: list[bytes] = []
        self.now = 0.0

    def post(self, body: bytes, timeout: float) -> Answer:
        self.bodies.append(body)
        given = next(self._answers)
        if isinstance(given, Exception):
            raise given
        return given

    def close(self) -> None:
        pass


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Sender, Scripted, list[float]]]:
    """A sender with these answers, and the waits between its tries, which take no time."""

    def make(*answers: Answer | Exception, **others: Any) -> tuple[Sender, Scripted, list[float]]:
        transport = Scripted(*answers)
        waits: list[float] = []
        monkeypatch.setattr("retryscope._recording.sender.transport_for", lambda *_: transport)
        sender = Sender(options("http://c:4318", **others), lambda: transport.now)

        class Stopped:
            def wait(self, seconds: float) -> bool:
                waits.append(seconds)
                transport.now += seconds
                return False

        monkeypatch.setattr(sender, "_stopped", Stopped())
        return sender, transport, waits

    return make


Make = Callable[..., tuple[Sender, Scripted, list[float]]]


@pytest.mark.parametrize("status", sorted(RETRIED))
def test_a_busy_collector_is_asked_again_when_it_says(scripted: Make, status: int) -> None:
    """Its ``Retry-After`` counts; without one the waits grow."""
    sender, transport, waits = scripted(Answer(status, "2"), Answer(status, "0"), Answer(200, rejected=3))
    assert sender.send(b"spans") == Delivery(rejected=3)
    assert waits == [2.0, 0.0]
    assert transport.bodies == [b"spans"] * 3


@pytest.mark.parametrize("status", [300, 302, 400, 401, 404, 413, 500, 501])
def test_what_asking_again_would_not_help_is_a_failure_at_once(scripted: Make, status: int) -> None:
    """A redirect among them: the spans are for the collector that was named."""
    sender, _, waits = scripted(Answer(status, "1"))
    assert sender.send(b"").failure.startswith(f"status {status}")
    assert waits == []


def test_a_wait_beyond_the_time_of_the_request_is_none(scripted: Make) -> None:
    """A collector that says "in an hour" holds nothing up."""
    sender, _, waits = scripted(Answer(503, "3600"))
    assert sender.send(b"") == Delivery("status 503")
    assert waits == []


def test_it_is_not_tried_for_ever(scripted: Make) -> None:
    """Not even without waits."""
    sender, transport, _ = scripted(*[Answer(429, "0")] * 100)
    assert sender.send(b"") == Delivery("status 429")
    assert len(transport.bodies) == MAX_TRIES


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError("no"), TimeoutError("slow"), RuntimeError("urllib3")]
)
def test_one_that_cannot_be_reached_is_tried_again_and_named(scripted: Make, error: Exception) -> None:
    """Within the same bounds."""
    sender, _, waits = scripted(error, Answer(200))
    assert sender.send(b"") == Delivery()
    assert 0.8 <= waits[0] <= 1.2
    sender, _, waits = scripted(*[error] * 9)
    assert sender.send(b"").failure == f"{type(error).__name__}: {error}"
    assert sum(waits) <= 5


def test_a_sender_that_is_stopped_waits_no_more() -> None:
    """The process ends."""
    with reserved_port() as port:
        sender = Sender(options(f"http://127.0.0.1:{port}", timeout=3600.0))
        sender.stop()
        assert sender.send(b"").failure.startswith("ConnectionRefusedError")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("1.5", 1.5), ("-3", 0.0), ("", 9.0), ("inf", 9.0), ("soon", 9.0), ("Tue, 99", 9.0)],
)
def test_a_retry_after_is_a_number_or_a_date(header: str, seconds: float) -> None:
    """Anything else is none."""
    assert retry_after(header, 9.0) == seconds
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 9.0) == 0.0


@pytest.mark.parametrize(
    ("compression", "restored"),
    [
        (Compression.Gzip, gzip.decompress),
        (Compression.Deflate, zlib.decompress),
        (Compression.NoCompression, bytes),
    ],
)
def test_a_request_is_compressed_as_asked(
    scripted: Make, compression: Compression, restored: Callable[[bytes], bytes]
) -> None:
    """Once, however often it is tried."""
    sender, transport, _ = scripted(Answer(503, "0"), Answer(200), compression=compression)
    sender.send(b"spans" * 100)
    assert {restored(body) for body in transport.bodies} == {b"spans" * 100}


@pytest.fixture
def opened() -> Iterator[Callable[..., Any]]:
    """Makes senders and transports, and closes them."""
    made: list[Any] = []

    def keep(one: Any) -> Any:
        made.append(one)
        return one

    yield keep
    for each in made:
        each.close()


@pytest.mark.parametrize("user", ["", "user:pw@"], ids=["plain", "requests"])
def test_an_answer_is_read_within_bounds(user: str, opened: Callable[..., Any]) -> None:
    """By either client."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3

    def transport(url: str) -> Any:
        return opened(transport_for(options(url.replace("//", f"//{user}")), lambda: 0.0))

    def failure(url: str) -> str:
        sent: Delivery = opened(Sender(options(url.replace("//", f"//{user}"), timeout=1.0))).send(b"x")
        return sent.failure

    with collector(answer("200 OK", PROTOBUF, body=response.SerializeToString())) as asked:
        assert transport(asked.url).post(b"x", 5) == Answer(200, "", 3)
    with collector(answer("503 Busy", "Retry-After: 7")) as asked:
        assert transport(asked.url).post(b"x", 5) == Answer(503, "7", 0)
    with collector(answer("200 OK", "Content-Type: text/html", body=b"<p>")) as asked:
        assert failure(asked.url) == "the answer is a web page: there is no collector at this address"
    with collector(answer("200 OK", PROTOBUF, body=bytes(9))[:-5]) as asked:
        assert failure(asked.url)
    mebibyte = bytes(1_048_576)
    head = f"HTTP/1.1 200 OK\r\n{PROTOBUF}\r\nContent-Length: {300 * len(mebibyte)}\r\n\r\n".encode()
    with collector(head, mebibyte, 300) as asked:
        assert f"longer than {MAX_ANSWER_BYTES} bytes" in failure(asked.url)
        assert asked.sent < BUFFERED * 3


def test_a_redirect_is_not_followed(opened: Callable[..., Any]) -> None:
    """It is a failure, and the other one hears nothing."""
    with collector(b"") as elsewhere, collector(answer("307 T", f"Location: {elsewhere.url}")) as asked:
        assert opened(Sender(options(asked.url))).send(b"x") == Delivery(
            "status 307, a redirect, which is not followed"
        )
        assert (asked.requests, elsewhere.requests) == (1, 0)


def test_a_body_that_does_not_end_in_time_is_given_up() -> None:
    """A byte now and then keeps every single read from being late."""
    head = f"HTTP/1.1 200 OK\r\n{PROTOBUF}\r\nContent-Length: 9\r\n\r\n".encode()
    times = itertools.chain([0.0], itertools.repeat(6.0))
    with collector(head, b"x", 8) as asked:
        transport = transport_for(options(asked.url), lambda: next(times))
        with pytest.raises(OSError, match="did not end in time"):
            transport.post(b"x", 5)


def test_a_connection_is_kept_and_one_that_was_closed_is_opened_anew() -> None:
    """A collector closes those on which nothing has come for a while."""
    with otlp_receiver() as receiver:
        sender = Sender(options(f"{receiver.url}/v1/traces"))
        for _ in range(3):
            assert sender.send(b"") == Delivery()
        assert receiver.requests == 3
        (connection,) = receiver._connections
        connection.shutdown(2)
        assert sender.send(b"") == Delivery()
        sender.after_fork()
        assert sender.send(b"") == Delivery()
        assert receiver.requests == 5
        sender.close()


def test_what_is_not_plain_goes_by_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS with its files, proxies, passwords; what a proxy is not for goes directly."""
    tls = transport_for(
        options(
            "https://c:4318/v1/traces",
            certificate_file="/ca",
            client_certificate_file="/c",
            client_key_file="/k",
        ),
        lambda: 0.0,
    )
    assert isinstance(tls, SessionTransport)
    assert (tls._session.verify, tls._session.cert) == ("/ca", ("/c", "/k"))
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    assert isinstance(transport_for(options("http://c:4318/v1/traces"), lambda: 0.0), SessionTransport)
    monkeypatch.setenv("NO_PROXY", "c")
    assert isinstance(transport_for(options("http://c:4318/v1/traces"), lambda: 0.0), PlainTransport)


def test_headers_are_sent_as_configured() -> None:
    """Ours about the body win; the name of the client may be another."""
    plain = transport_for(
        options("http://c/v1/traces", headers={"x": "1", "user-agent": "me"}, compression=Compression.Gzip),
        lambda: 0.0,
    )
    assert isinstance(plain, PlainTransport)
    assert plain._headers == {
        "x": "1",
        "user-agent": "me",
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
        "accept-encoding": "identity",
    }
