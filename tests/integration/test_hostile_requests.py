"""Bytes that no client would send, at the real service: it answers what can be answered, and goes on."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.conftest import StartService, running_service
from tests.support import process
from tests.support.polling import wait_until
from tests.support.process import Service
from tests.support.raw_http import RawAnswer, connect, exchange, hang_up, read_answer

SECRET = "a-token-of-sixteen-letters"  # noqa: S105
AUTHORIZED = b"Authorization: Bearer " + SECRET.encode()
PROBLEM = "application/problem+json"
COUNT = "http_server_request_duration_seconds_count"
SOME = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all, with a token; whatever it was sent, no stack trace and no token is in its log."""
    with running_service(tmp_path_factory.mktemp("service"), RETRYSCOPE_API_TOKEN=SECRET) as service:
        yield service
        assert service.messages("ERROR") == []
        assert SECRET not in service.output


def request(method: bytes, path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    fields = [b"Host: localhost", AUTHORIZED, *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", *fields, b"", body])


def check(answer: RawAnswer | None) -> None:
    """It is served, or refused as the client's with a problem document, not for the test's own Host."""
    assert answer is not None
    assert answer.status != 421
    if answer.status >= 400:
        assert answer.status < 500, answer
        assert answer.content_type == PROBLEM
        assert answer.json()["status"] == answer.status


HEADERS = [
    b"Accept",
    b"Accept-Encoding",
    b"Content-Type",
    b"Content-Encoding",
    b"Cookie",
    b"Expect",
    b"Forwarded",
    b"Idempotency-Key",
    b"If-None-Match",
    b"Last-Event-ID",
    b"Origin",
    b"Range",
    b"Sec-Fetch-Site",
    b"Upgrade",
    b"User-Agent",
    b"X-Forwarded-For",
    b"X-Forwarded-Prefix",
    b"X-Forwarded-Proto",
    b"baggage",
    b"traceparent",
    b"tracestate",
]
VALUES = st.binary(max_size=60).filter(lambda value: not {0, 10, 13} & set(value))
TARGETS = [
    (b"GET", b"/"),
    (b"GET", b"/alerts"),
    (b"GET", b"/metrics"),
    (b"GET", b"/runs"),
    (b"GET", b"/runs/none/events"),
    (b"GET", b"/traces"),
    (b"POST", b"/workflows/retry"),
    (b"POST", b"/workflows/retry/runs"),
]
QUICK = b'{"failure_rate": 0, "duration": 0}'


@SOME
@given(st.sampled_from(TARGETS), st.lists(st.tuples(st.sampled_from(HEADERS), VALUES), max_size=4))
def test_any_bytes_in_any_header(
    service: Service, target: tuple[bytes, bytes], headers: list[tuple[bytes, bytes]]
) -> None:
    """Of those that are read here, and some more."""
    body = QUICK if target[0] == b"POST" else b""
    fields = [name + b": " + value for name, value in headers]
    check(exchange(service.port, request(*target, *fields, body=body)))


TEXTS = st.binary(max_size=60).filter(lambda value: not set(value) & set(b"\r\n \0"))


@SOME
@given(
    st.sampled_from([b"/", b"/runs/", b"/traces/", b"/assets/", b"/workflows/", b"/runs?cursor=", b"//"]),
    TEXTS,
)
def test_any_bytes_in_a_target(service: Service, start: bytes, rest: bytes) -> None:
    """Percent-encoded or not."""
    check(exchange(service.port, request(b"GET", start + rest)))
    escaped = b"".join(b"%%%02x" % byte for byte in rest)
    check(exchange(service.port, request(b"GET", start + escaped)))


JSON_LIKE = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"[" * 10_000,
            b'{"a":' * 10_000,
            b'{"seed": ' + b"9" * 5_000 + b"}",
            b'{"seed": ' + b"9" * 4_000 + b"}",
            b'{"seed": NaN}',
            b'{"seed": 1e999}',
            b'{"seed": "\\ud800"}',
            b'{"\\ud800": 1}',
            b'"\xed\xa0\x80"',
            b'{"jitter": "full", "jitter": 1}',
            b"\xef\xbb\xbf",
            b"\xff\xfe{\0}\0",
            QUICK,
        ]
    ),
)
ENCODINGS = [b"", b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"x"]
TYPES = [
    b"application/json",
    b"application/json; charset=utf-16",
    b"application/json; charset=\xff",
    b"text/plain",
]


@SOME
@given(st.sampled_from(TYPES), st.sampled_from(ENCODINGS), JSON_LIKE)
def test_any_bytes_as_a_body(service: Service, media_type: bytes, encoding: bytes, body: bytes) -> None:
    """Whatever it claims to be."""
    fields = [b"Content-Type: " + media_type, b"Content-Encoding: " + encoding]
    check(exchange(service.port, request(b"POST", b"/workflows/retry/runs", *fields, body=body)))
    check(exchange(service.port, request(b"POST", b"/alerts", *fields, body=body)))


@SOME
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_at_all(service: Service, sent: bytes) -> None:
    """There may be no end to wait for: what counts is that it goes on, and that its log stays clean."""
    hang_up(service.port, sent)
    hang_up(service.port, request(b"GET", b"/runs", sent.replace(b"\n", b"")))


def test_a_client_that_hangs_up_at_any_byte(service: Service) -> None:
    """Nothing of it is left, and the next one is answered."""
    whole = request(b"POST", b"/workflows/retry", b"Content-Type: application/json", body=QUICK)
    for length in range(1, len(whole), 3):
        hang_up(service.port, whole[:length])
    check(exchange(service.port, whole))
    with connect(service.port) as other:
        other.sendall(request(b"GET", b"/health/ready"))
        answer = read_answer(other)
    assert answer is not None
    assert answer.json()["runs_in_flight"] == 0


def test_a_token_in_a_request_that_is_refused_is_not_logged(service: Service) -> None:
    """Wherever the parser stumbles; the fixture looks at the log."""
    for field in (
        b"Authorization : Bearer " + SECRET.encode(),
        AUTHORIZED + b"\0",
        b"Authorization: Bearer\r\n " + SECRET.encode(),
        SECRET.encode() + b"\x01: a",
        AUTHORIZED + b"x" * 9_000,
    ):
        answer = exchange(service.port, request(b"GET", b"/runs", field))
        check(answer)
        assert answer is not None
        assert answer.status in {400, 431}
        assert SECRET.encode() not in answer.body


def test_otel_propagators_none_fails_no_request_and_no_run(start_service: StartService) -> None:
    """Each traced request answered 500, and a run in the background stayed running for ever."""
    service = start_service(OTEL_PROPAGATORS="none")
    assert service.run("retry", failure_rate=0, duration=0).status == 200
    submitted = service.call("POST", "/workflows/retry/runs", {"failure_rate": 0, "duration": 0}).answer()
    path = submitted.body["links"]["self"]
    wait_until(lambda: service.get(path).body["state"] == "succeeded", "the run has ended")


@pytest.mark.parametrize("limited", ["from its start", "later"])
def test_silent_connections_keep_nobody_out(
    limited: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 64 files only, and 80 of them: who asks is answered, and a line says what was done, not 31,944."""
    if limited == "from its start":
        command = tmp_path / "limited"
        command.write_text(f'#!/bin/sh\nulimit -n 64\nexec {process.COMMAND} "$@"\n')
        command.chmod(0o700)
        monkeypatch.setattr(process, "COMMAND", command)
    with running_service(tmp_path / "service") as service, ExitStack() as silent:
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        for _ in range(80):
            silent.enter_context(connect(service.port))
        assert [service.get("/health/live").status for _ in range(20)] == [200] * 20
        assert service.messages("ERROR") == []
        assert 1 <= sum("idle ones make room" in each for each in service.messages("WARNING")) <= 2
