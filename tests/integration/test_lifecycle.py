"""Start and end of the real process: signals, draining, disconnects, and what it prints."""

import argparse
import http.client
import json
import re
import shlex
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from retryscope_service.signals import REPEAT_SECONDS
from tests.integration.conftest import StartService
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.polling import LIMIT, wait_until
from tests.support.process import Answer, Call, Service, serve_in_vain
from tests.support.spans import SpanData, from_json, one, outline

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FOREVER = 3600.0
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SERVER = "POST /workflows/{workflow}"
CANCELLED_TREE = [
    SERVER,
    "  workflow cancellation",
    "    task long_running_task",
    "      cleanup long_running_task",
    "    task long_running_task",
    "      cleanup long_running_task",
]


def start_cancellation(service: Service, cleanup: float = 0.05) -> Call:
    """Start two tasks that run until somebody cancels them, in the trace TRACE_ID."""
    call = service.start_traced_run(
        TRACE_ID,
        "cancellation",
        durations=[FOREVER, FOREVER],
        cancel_after=FOREVER,
        cleanup=cleanup,
    )
    wait_until(
        lambda: service.metric("resilience_operations_in_flight", workflow="cancellation") == 2,
        "both tasks are running",
    )
    return call


def check_cancelled(spans: list[SpanData], cause: str) -> None:
    """The whole trace of a cancelled run has ended, and names the cause."""
    assert all(span.end for span in spans)
    assert outline(spans) == CANCELLED_TREE
    for span in spans:
        if span.name in {"workflow cancellation", "task long_running_task"}:
            assert span.attributes["resilience.outcome"] == "cancelled"
            assert span.attributes["resilience.cancel.cause"] == cause
            assert span.status == 0
        elif span.name.startswith("cleanup"):
            assert span.attributes["resilience.cleanup.outcome"] == "completed"


def wait_for_draining(service: Service) -> Answer:
    """Wait until it is not ready any more; returns the answer."""

    def draining() -> Answer | None:
        answer = service.get("/health/ready")
        return answer if answer.status == 503 else None

    return wait_until(draining, "/health/ready answers 503")


def wait_until_closed(service: Service) -> None:
    """Wait until nobody listens any more."""

    def closed() -> bool:
        try:
            socket.create_connection(("127.0.0.1", service.port)).close()
        except OSError:
            return True
        return False

    wait_until(closed, "the port is closed")


class TestShutdown:
    @pytest.mark.parametrize("number", SIGNALS)
    def test_an_idle_service_ends_at_once(self, service: Service, number: signal.Signals) -> None:
        service.signal(number)
        assert service.wait() == 0
        assert [line["message"] for line in service.logs][-2:] == [
            "shutting down; runs in flight: 0",
            "shut down",
        ]

    @pytest.mark.parametrize("number", SIGNALS)
    def test_running_workflows_are_drained_and_nothing_new_is_taken(
        self, start_service: StartService, number: signal.Signals
    ) -> None:
        """One run holds the service in this state until the test lets go of it."""
        service = start_service(RETRYSCOPE_DRAIN_SECONDS=str(FOREVER))
        holding = start_cancellation(service)
        finishing = service.start_run("sequential", tasks=1, duration=0.5, failure_rate=0)
        wait_until(
            lambda: (
                service.metric("resilience_attempts_total", workflow="sequential")
                + service.metric("resilience_operations_in_flight", workflow="sequential")
            ),
            "the second run has begun",
        )

        service.signal(number)
        not_ready = wait_for_draining(service)
        refused = service.run("sequential", tasks=1)
        for answer in (not_ready, refused):
            assert answer.status == 503
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            assert answer.headers["Retry-After"]
            assert answer.body["type"] == "urn:retryscope:problem:draining"
        assert service.get("/health/live").status == 200
        assert service.metric("resilience_workflows_in_flight") >= 1

        finished = finishing.answer()
        assert (finished.status, finished.body["outcome"]) == (200, "success")
        assert service.process.poll() is None
        holding.disconnect()
        assert service.wait() == 0

    @pytest.mark.parametrize("number", SIGNALS)
    def test_what_the_limit_does_not_suffice_for_is_cancelled_with_its_cleanup(
        self, collector: OtlpReceiver, start_service: StartService, number: signal.Signals
    ) -> None:
        """Its client gets what there is, and its spans are exported before the process ends."""
        service = start_service(
            RETRYSCOPE_DRAIN_SECONDS="0.1",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="60000",
        )
        call = start_cancellation(service, cleanup=0.05)
        service.signal(number)
        answer = call.answer()
        assert service.wait() == 0

        assert answer.status == 503
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.body["type"] == "urn:retryscope:problem:cancelled"
        assert (answer.body["workflow"], answer.body["outcome"]) == ("cancellation", "cancelled")
        assert answer.body["trace_id"] == TRACE_ID
        assert answer.body["counts"] == {"succeeded": 0, "failed": 0, "timed_out": 0, "cancelled": 2}
        assert [task["name"] for task in answer.body["tasks"]] == ["Task-A", "Task-B"]
        for task in answer.body["tasks"]:
            assert task["outcome"] == "cancelled"
            assert task["cleanup_seconds"] > 0.04
        spans = collector.trace(TRACE_ID)
        check_cancelled(spans, "shutdown")
        assert one(spans, SERVER).attributes["http.response.status_code"] == 503

    def test_every_kind_of_run_is_cancelled(
        self, collector: OtlpReceiver, start_service: StartService
    ) -> None:
        service = start_service(RETRYSCOPE_DRAIN_SECONDS="0", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        limits = {"name": "API Call", "duration": FOREVER, "timeout": FOREVER}
        calls = [
            service.start_run("sequential", duration=FOREVER),
            service.start_run("concurrent", duration=FOREVER),
            service.start_run("timeouts", operations=[limits]),
            service.start_run("retry", duration=0, failure_rate=1, base_delay=FOREVER, max_delay=FOREVER),
            service.start_run("retry", duration=FOREVER),
        ]
        service.wait_for_runs_in_flight(len(calls))
        wait_until(
            lambda: service.metric("resilience_operations_in_flight") == 14, "every task of them is running"
        )
        wait_until(lambda: service.metric("resilience_attempts_total") == 1, "the first retry waits")
        service.signal()
        answers = [call.answer() for call in calls]
        assert service.wait() == 0
        assert {(answer.status, answer.body["outcome"]) for answer in answers} == {(503, "cancelled")}
        assert [answer.body["counts"]["cancelled"] for answer in answers] == [1, 10, 1, 1, 1]
        spans = collector.spans()
        assert len(outline(spans)) == len(spans) == sum((3, 13, 3, 5, 4))
        for span in spans:
            if span.name.startswith(("workflow", "task", "timeout", "retry", "gather")):
                assert span.attributes["resilience.cancel.cause"] == "shutdown", span.name

    def test_clients_that_dawdle_do_not_delay_the_end(self, start_service: StartService) -> None:
        """One keeps its connection open, one has sent half a request; neither is a running workflow."""
        service = start_service(RETRYSCOPE_DRAIN_SECONDS="0.1")
        head = b"POST /workflows/retry HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with (
            socket.create_connection(("127.0.0.1", service.port)) as idle,
            socket.create_connection(("127.0.0.1", service.port)) as half,
        ):
            idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.recv(100).startswith(b"HTTP/1.1 200")
            half.sendall(head + b"Content-Length: 100\r\n\r\n{")
            assert service.get("/health/live").status == 200  # by now the half request is being read
            started = time.monotonic()
            service.signal()
            assert service.wait() == 0
            assert time.monotonic() - started < 20

    def test_a_client_that_does_not_read_does_not_delay_the_end(self, start_service: StartService) -> None:
        """Its answer is larger than what is buffered; Python would warn that the rest is left unsent."""
        service = start_service(RETRYSCOPE_DRAIN_SECONDS="0.1", PYTHONWARNINGS="ignore")
        for _ in range(3):
            service.run("sequential", tasks=1000, duration=0, failure_rate=1)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", service.port))
            client.sendall(b"GET /traces?limit=10 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(8) == b"HTTP/1.1"
            started = time.monotonic()
            service.signal()
            assert service.wait() == 0
            assert time.monotonic() - started < 20


class TestSecondSignal:
    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    @pytest.mark.parametrize("number", SIGNALS)
    def test_ends_it_at_once_while_draining(
        self, start_service: StartService, number: signal.Signals, loop: str
    ) -> None:
        """And the first lets it drain: uvloop has a way of its own to hear signals."""
        service = start_service(RETRYSCOPE_DRAIN_SECONDS=str(FOREVER), RETRYSCOPE_LOOP=loop)
        wait_until(lambda: f"event loop: {loop}" in service.messages("INFO"), "the log says which loop it is")
        call = start_cancellation(service)
        service.signal(number)
        wait_for_draining(service)
        time.sleep(REPEAT_SECONDS)
        service.signal(number)
        assert service.wait() == 128 + number
        call.disconnect()

    @pytest.mark.parametrize("second", SIGNALS)
    def test_within_a_second_is_the_first_again(
        self, start_service: StartService, second: signal.Signals
    ) -> None:
        """What a supervisor delivers twice, and a terminal beside it, drains all the same."""
        service = start_service(RETRYSCOPE_DRAIN_SECONDS=str(FOREVER))
        call = start_cancellation(service)
        service.signal(signal.SIGTERM)
        service.signal(second)
        wait_for_draining(service)
        call.disconnect()
        assert service.wait() == 0

    def test_of_a_service_without_runs_is_the_first_again_until_it_has_ended(self, service: Service) -> None:
        """Also while the interpreter is left."""
        service.signal()
        while service.process.poll() is None:
            service.signal()
            time.sleep(0.001)
        assert service.wait() == 0

    def test_a_hangup_is_ignored_where_it_was_at_the_start(self, start_service: StartService) -> None:
        """As `nohup retryscope serve` has it."""
        with ignored(signal.SIGHUP):
            service = start_service()
        service.signal(signal.SIGHUP)
        assert service.run("retry", failure_rate=0, time_scale=0.01).status == 200
        service.stop()

    def test_ends_it_at_once_during_a_long_cleanup(self, start_service: StartService) -> None:
        service = start_service(RETRYSCOPE_DRAIN_SECONDS="0")
        call = start_cancellation(service, cleanup=4.9)
        service.signal(signal.SIGINT)
        wait_until(lambda: one_or_none(service, "cleanup long_running_task"), "the cleanup runs")
        time.sleep(REPEAT_SECONDS)
        service.signal(signal.SIGINT)
        assert service.wait() == 130
        call.disconnect()

    def test_ends_it_at_once_while_a_hanging_collector_holds_up_the_flush(
        self, collector: OtlpReceiver, start_service: StartService
    ) -> None:
        collector.hang()
        service = start_service(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_TIMEOUT=str(FOREVER),
            RETRYSCOPE_FLUSH_SECONDS="300",
        )
        service.run("timeouts", time_scale=0.0001)
        service.signal(signal.SIGINT)
        wait_until_closed(service)
        wait_until(lambda: collector.requests, "the collector was asked")
        time.sleep(REPEAT_SECONDS)
        service.signal(signal.SIGINT)
        assert service.wait() == 130


@contextmanager
def ignored(number: signal.Signals) -> Iterator[None]:
    """What is started in the block ignores that signal."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


def one_or_none(service: Service, name: str) -> SpanData | None:
    """A span of the trace TRACE_ID, while it may not be there yet."""
    return next((span for span in from_json(service.trace(TRACE_ID)) if span.name == name), None)


class TestDisconnect:
    def test_cancels_the_run(self, service: Service) -> None:
        call = start_cancellation(service)
        call.disconnect()
        service.wait_for_runs_in_flight(0)
        wait_until(lambda: one_or_none(service, SERVER) and ended(service), "the trace has ended")
        check_cancelled(list(from_json(service.trace(TRACE_ID))), "client_disconnect")
        causes = {"workflow": "cancellation", "cause": "client_disconnect"}
        assert service.metric("resilience_cancellations_total", **causes) == 2
        assert service.metric("resilience_operations_in_flight") == 0
        assert service.metric("http_server_request_duration_seconds_count", error_type="500") == 0

    def test_leaves_other_runs_alone(self, service: Service) -> None:
        other = service.start_run("sequential", tasks=2, duration=0.3, failure_rate=0)
        start_cancellation(service).disconnect()
        assert other.answer().body["outcome"] == "success"

    def test_frees_its_place(self, start_service: StartService) -> None:
        service = start_service(RETRYSCOPE_MAX_RUNS_IN_FLIGHT="1")
        call = start_cancellation(service)
        refused = service.run("retry")
        assert (refused.status, refused.body["bound"]) == (429, 1)
        assert refused.headers["Retry-After"]
        call.disconnect()
        service.wait_for_runs_in_flight(0)
        assert service.run("retry", failure_rate=0, time_scale=0.01).status == 200


def ended(service: Service) -> bool:
    """Whether every span of the trace TRACE_ID has ended."""
    return all(span.end for span in from_json(service.trace(TRACE_ID)))


class TestStart:
    @contextmanager
    def taken_port(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    def test_a_port_in_use_is_named(self) -> None:
        with self.taken_port() as port:
            ended = serve_in_vain("--port", str(port))
        assert ended.status == 2
        assert re.fullmatch(
            rf"retryscope: can't listen on 127\.0\.0\.1:{port}: .*in use; .*--port.*RETRYSCOPE_PORT.*\n",
            ended.stderr,
        )
        for line in ended.stdout.splitlines():
            assert json.loads(line)["level"] == "INFO"

    def test_arguments_win_over_variables(self, start_service: StartService) -> None:
        service = start_service(RETRYSCOPE_PORT="1")
        assert service.port > 1

    def test_what_it_tells_to_try_works(self, service: Service) -> None:
        """Each command as printed, run by what understands as much of curl as it uses."""
        commands = re.findall(r"^  curl (.*?)(?:  .*)?$", service.stderr, re.MULTILINE)
        assert len(commands) >= 4
        curl = argparse.ArgumentParser()
        curl.add_argument("url")
        curl.add_argument("-X", dest="method", default="GET")
        curl.add_argument("--json")
        curl.add_argument("-N", action="store_true")
        curl.add_argument("-H", dest="header", default="")
        base = f"http://127.0.0.1:{service.port}"
        known = {"TRACE_ID": service.run("retry", failure_rate=0, time_scale=0.01).body["trace_id"]}
        for command in commands:
            for placeholder, value in known.items():
                command = command.replace(placeholder, value)
            options = curl.parse_args(shlex.split(command))
            if options.header:  # for the faults of the upstream
                name, _, value = options.header.partition(": ")
                headers = {name: value, "Content-Type": "application/json"}
                there = urlsplit(options.url)
                upstream = http.client.HTTPConnection(there.netloc, timeout=LIMIT)
                upstream.request(options.method, there.path, options.json, headers)
                assert upstream.getresponse().status < 300, command
                upstream.close()
                continue
            assert options.url.startswith(base)
            path = options.url.removeprefix(base)
            if options.json:
                call = service.call("POST", path, json.loads(options.json))
                assert call.answer().status == 200, command
            elif options.method == "GET":
                assert service.call("GET", path).status() == 200, command
            elif path.endswith("/runs"):
                answer = service.call("POST", path).answer()
                assert answer.status == 202, command
                known["RUN_ID"] = answer.headers["Location"].removeprefix("/runs/")
            else:  # takes seconds, with the document's durations
                call = service.call(options.method, path)
                service.wait_for_runs_in_flight(1)
                call.disconnect()
        page = re.search(r"In a browser: (http://\S+/)\n", service.stderr)
        assert page
        assert page[1] == f"{base}/"
        assert service.get("/", {"Accept": "text/html"}).status == 200


class TestLogs:
    def test_each_line_of_a_run_names_a_trace_that_is_there(self, start_service: StartService) -> None:
        service = start_service(RETRYSCOPE_LOG_LEVEL="DEBUG")
        answers = [
            service.run("retry", failure_rate=1, max_retries=2, time_scale=0.01),
            service.run("concurrent", tasks=3, duration=0, failure_rate=0),
            service.run("cancellation", durations=[FOREVER], cancel_after=0.01, cleanup=0),
        ]
        lines = {
            answer.body["trace_id"]: [
                line for line in service.logs if line.get("trace_id") == answer.body["trace_id"]
            ]
            for answer in answers
        }
        for trace_id, logged in lines.items():
            assert logged
            spans = {span.span_id: span for span in from_json(service.trace(trace_id))}
            for line in logged:
                assert line["trace_flags"] in {"01", "03"}
                span = spans[line["span_id"]]
                if "resilience.operation" in line:
                    assert line["resilience.operation"] == span.attributes["resilience.operation"]
        assert {line["trace_id"] for line in service.logs if "trace_id" in line} == set(lines)
        levels = [line["level"] for line in lines[answers[0].body["trace_id"]]]
        assert levels.count("INFO") == 2  # retries that were scheduled
        assert levels.count("WARNING") == 1  # the exhausted retry
        assert service.messages("ERROR") == []
