"""Log lines as JSON, each naming its trace, with the same keys as span attributes."""

import asyncio
import contextlib
import json
import logging
import math
import os
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from retryscope import RetryPolicy, cancellable, retry, semconv, step, timeout
from retryscope.logs import JsonFormatter, configure_logs, flush_logs
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, failer, named, sleeper, span_id, spans_named


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.getLogger("asyncio").setLevel(logging.NOTSET)
    root.handlers[:] = handlers
    root.setLevel(level)


class Output:
    """Standard output as log lines, from DEBUG on."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def configure(self) -> None:
        """Inside the test: pytest replaces standard output between the phases of a test."""
        configure_logs("shop", "DEBUG")
        logging.getLogger("asyncio").setLevel(logging.WARNING)

    def lines(self) -> list[dict[str, Any]]:
        assert flush_logs()
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def output(logging_as_before: None, capsys: pytest.CaptureFixture[str]) -> Output:
    return Output(capsys)


def test_a_line_has_the_fields_of_the_convention_at_the_top_level(recorded: Recorded, output: Output) -> None:
    """``trace_id``, ``span_id``, ``trace_flags`` in lower-case hex, as OpenTelemetry names them."""
    output.configure()

    async def main() -> None:
        async with step(PRICE):
            logging.getLogger("shop.checkout").warning("price of %s", "book", extra={"cents": 499})

    run(main())
    (line,) = output.lines()
    context = named(recorded, "task price").context
    assert context is not None
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "shop.checkout",
        "message": "price of book",
        "service.name": "shop",
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "trace_flags": f"{context.trace_flags:02x}",
        "cents": 499,
    }


def test_outside_of_a_span_a_line_names_no_trace(output: Output) -> None:
    """Rather than zeros."""
    output.configure()
    logging.getLogger("shop").info("started")
    (line,) = output.lines()
    assert not {"trace_id", "span_id", "trace_flags"} & set(line)


def test_each_step_has_its_level_its_span_and_the_keys_of_span_attributes(
    recorded: Recorded, output: Output
) -> None:
    """TELEMETRY.md: attempt failed DEBUG, scheduled INFO, gave up WARNING, cancel DEBUG, cleanup ERROR."""
    output.configure()

    async def main() -> None:
        policy = RetryPolicy(max_attempts=2, base_delay=1, jitter="none")
        with pytest.raises(ConnectionError):
            await retry(PRICE, policy).call(failer(ConnectionError("busy")))
        running = cancellable(STOCK, sleeper(60), on_cancel=sleeper(60), cleanup_timeout=1)
        await asyncio.sleep(1)
        running.cancel("shutdown")
        await asyncio.wait([running.task])

    run(main())
    written = output.lines()
    price = {"resilience.workflow": "checkout", "resilience.operation": "price"}
    stock = {"resilience.workflow": "checkout", "resilience.operation": "stock"}
    fields = [
        (line["level"], {key: value for key, value in line.items() if key in semconv.ATTRIBUTES})
        for line in written
    ]
    failed = {"resilience.outcome": "error", "error.type": "ConnectionError"}
    assert fields == [
        ("DEBUG", {**price, "resilience.attempt.number": 1, **failed}),
        (
            "INFO",
            {
                **price,
                "resilience.attempt.number": 2,
                "resilience.retry.delay": 1,
                "resilience.retry.delay_source": "policy",
                "error.type": "ConnectionError",
            },
        ),
        ("DEBUG", {**price, "resilience.attempt.number": 2, **failed}),
        (
            "WARNING",
            {
                **price,
                "resilience.retry.attempts": 2,
                "resilience.retry.giveup_reason": "max_attempts",
                "error.type": "ConnectionError",
            },
        ),
        ("ERROR", {**stock, "resilience.cleanup.outcome": "timed_out", "error.type": "timeout"}),
        ("DEBUG", {**stock, "resilience.cancel.cause": "shutdown"}),
    ]
    for line in written:
        own = {
            "timestamp",
            "level",
            "logger",
            "message",
            "service.name",
            "trace_id",
            "span_id",
            "trace_flags",
        }
        assert set(line) - own <= set(semconv.ATTRIBUTES)
    first, second = spans_named(recorded, "attempt price")
    expected = [first, named(recorded, "retry price"), second, named(recorded, "retry price")]
    expected += [named(recorded, "cleanup stock"), named(recorded, "task stock")]
    assert [line["span_id"] for line in written] == [span_id(span) for span in expected]


def test_a_failure_without_retry_is_a_failed_attempt_too(recorded: Recorded, output: Output) -> None:
    """DEBUG, with the outcome and the type of the error, in the operation's own span."""
    output.configure()

    async def main() -> None:
        with contextlib.suppress(ValueError):
            async with step(PRICE):
                raise ValueError("no")
        with contextlib.suppress(TimeoutError):
            async with timeout(PRICE, 1):
                await asyncio.sleep(2)

    run(main())
    spans = recorded.spans()
    said = [
        (line["level"], line["message"], line["resilience.outcome"], line["error.type"], line["span_id"])
        for line in output.lines()
    ]
    assert said == [
        ("DEBUG", "price failed: no", "error", "ValueError", span_id(spans[0])),
        ("DEBUG", "price failed: price timed out after 1 s", "timeout", "timeout", span_id(spans[1])),
    ]


def test_an_exception_is_a_field_named_as_on_spans(output: Output) -> None:
    """One line, whatever the stack trace holds."""
    output.configure()
    try:
        run(failer(ConnectionError("gone"))())
    except ConnectionError:
        logging.getLogger("shop").exception("failed")
    (line,) = output.lines()
    assert line["exception.stacktrace"].startswith("Traceback (most recent call last):\n")
    assert line["exception.stacktrace"].endswith("ConnectionError: gone")


def test_what_json_does_not_know_is_written_as_text(output: Output) -> None:
    """A log line must not fail for its fields."""
    output.configure()
    logging.getLogger("shop").info("prices: %s", "…", extra={"where": {1}, "ratio": math.pi})
    (line,) = output.lines()
    assert (line["message"], line["where"], line["ratio"]) == ("prices: …", "{1}", math.pi)


@pytest.mark.usefixtures("logging_as_before")
def test_the_level_and_the_formatter_are_those_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """By default INFO; it replaces what was there."""
    configure_logs("shop")
    configure_logs("shop")
    logging.getLogger("shop").debug("detail")
    logging.getLogger("shop").info("once")
    assert flush_logs()
    assert [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()] == ["once"]
    assert isinstance(logging.getLogger().handlers[0].formatter, JsonFormatter)


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_SERVICE_NAME", "from-operator"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-operator")],
)
def test_logs_and_traces_name_the_same_service(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """What the operator's variables say wins in both."""
    monkeypatch.setenv(variable, value)
    configure_logs("shop")
    logging.getLogger("shop").info("started")
    assert flush_logs()
    assert json.loads(capsys.readouterr().out)["service.name"] == "from-operator"


def test_a_resource_that_can_not_be_used_is_refused_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    """The SDK would write what it holds to standard error, where a terminal may obey it."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "\x1b[2J")
    handlers = logging.getLogger().handlers[:]
    with pytest.raises(ValueError, match=r"^OTEL_RESOURCE_ATTRIBUTES must be"):
        configure_logs("any")
    assert logging.getLogger().handlers == handlers
    assert capsys.readouterr() == ("", "")


def test_a_lost_line_is_counted_and_told(
    recorded: Recorded, logging_as_before: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard output could not be written to for a while; the line that says so looks as the others do."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        configure_logs("shop")
        really = os.write
        with monkeypatch.context() as full, recorded.changes() as changes:
            full.setattr(os, "write", lambda fd, data: really(-1, data))
            logging.getLogger("shop").info("first")
            assert flush_logs()
        logging.getLogger("shop").info("second")
        second, notice = json.loads(reader.readline()), json.loads(reader.readline())
        logging.shutdown([weakref.ref(logging.getLogger().handlers[0])])
    assert changes == {'resilience_telemetry_dropped_log_lines_total{reason="write_failed"}': 1}
    assert second["message"] == "second"
    assert notice["message"].startswith("1 log lines were lost")
    assert notice.keys() == second.keys()


def test_a_line_that_cannot_be_made_is_reported_and_fails_nobody(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As logging has it: its own ``handleError`` tells."""
    output.configure()
    told = []
    monkeypatch.setattr(logging.Handler, "handleError", lambda handler, record: told.append(record.msg))
    logging.getLogger("shop").info("%d items", "no number")
    logging.getLogger("shop").info("fine")
    assert [line["message"] for line in output.lines()] == ["fine"]
    assert told == ["%d items"]
