"""Whatever others write into names and messages, the terminal that shows it obeys none of it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retryscope import Operation, semconv, step
from retryscope_service import cli
from retryscope_service.cli.load_display import LoadDisplay
from retryscope_service.cli.output import fail
from retryscope_service.console.console import Console
from retryscope_service.http.problems import Problem
from retryscope_service.load.request import Answer
from retryscope_service.load.tally import LoadNumbers
from retryscope_service.notifications.store import RememberedAlert
from retryscope_service.notifications.text import render_alerts
from retryscope_service.traces.span_store import SpanStore
from retryscope_service.traces.trace_text import BAR_WIDTH, MAX_INDENTED, MAX_TEXT, render_trace
from tests.support.texts import TEXTS, is_harmless
from tests.unit.retryscope_service.helpers import Api
from tests.unit.retryscope_service.load.stubs import SlowService, load
from tests.unit.retryscope_service.traces.spans import start, tracer_into

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CAPTURED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def harmless(text: str) -> list[str]:
    """The lines of a text, none of which controls a terminal."""
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    assert [line for line in lines if not is_harmless(line)] == []
    return lines


async def test_the_trace_of_an_operation_with_control_characters_in_its_name(
    api: Api, console: Console
) -> None:
    with tracer_into(console.feed).start_as_current_span("attempt \x1b[2J\x07\nforged line\u202e") as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
    text = (await api.get(f"/traces/{trace_id}?format=text")).text
    assert harmless(text)[1].endswith("| attempt \\x1b[2J\\x07\\nforged line\\u202e  ended")


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), min_size=1, max_size=6))
def test_a_trace_is_one_line_a_span_with_its_bars_below_each_other(
    texts: list[tuple[str, str, str, str]],
) -> None:
    """Names, tasks, outcomes and errors are whatever they are."""
    store = SpanStore(max_traces=1, max_spans=100)
    tracer = tracer_into(store.feed)
    parent = None
    for name, outcome, error, named in texts:
        attributes: dict[str, str | int] = {
            semconv.OUTCOME: outcome,
            semconv.ERROR_TYPE: error,
            semconv.TASK_NAME: named,
        }
        parent = start(tracer, name, parent, attributes)
        parent.end()
    header, *lines, blank, _ = harmless(render_trace(store.latest(1), 0))
    assert blank == ""
    assert len(lines) == len(texts)
    bars = [at for at, c in enumerate(header) if c == "|"]
    assert all([line[at] for at in bars] == ["|", "|"] for line in lines)


def test_a_trace_deeper_than_calls_can_be_nested_has_lines_of_bounded_length() -> None:
    store = SpanStore(max_traces=1, max_spans=5_000)
    tracer = tracer_into(store.feed)
    parent = None
    for _ in range(3_000):
        parent = start(tracer, "n" * 10_000, parent, {semconv.OUTCOME: "o" * 10_000})
    _, *lines, _, _ = harmless(render_trace(store.latest(1), 0))
    assert len(lines) == 3_000
    longest = len("   0.000s     4.000s  ||  ") + BAR_WIDTH + 2 * MAX_INDENTED + 2 * MAX_TEXT
    assert max(map(len, lines)) <= longest


@given(st.dictionaries(TEXTS, TEXTS, max_size=4), st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_alerts_are_a_line_each_for_title_labels_and_annotations(
    labels: dict[str, str], annotations: dict[str, str]
) -> None:
    alert = RememberedAlert(
        status="firing",
        labels={**labels, "alertname": "x", "job": "y"},
        annotations=annotations,
        starts_at=NOON,
        ends_at=None,
        received_at=NOON,
        fingerprint="a",
        generator_url="",
    )
    assert len(harmless(render_alerts([alert]))) == 2 + len(annotations)


@CAPTURED
@given(TEXTS)
def test_what_a_command_says_has_no_lines_but_its_own(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert fail(f"{text}") == 2
    assert len(harmless(capsys.readouterr().err)) == 1 + text.count("\n")


@CAPTURED
@given(TEXTS)
def test_wrong_usage_is_repeated_harmlessly(capsys: pytest.CaptureFixture[str], text: str) -> None:
    for arguments in (["rules", f"+{text}"], ["load", "--rate", f"x{text}"], [f"x{text}"]):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert len(harmless(capsys.readouterr().err)) < 40


def test_wrong_usage_is_not_repeated_without_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "--port", "9" * 100_000])
    assert len(capsys.readouterr().err) < 3_000


@CAPTURED
@given(TEXTS, TEXTS, TEXTS)
def test_a_load_shows_what_a_server_says_harmlessly(
    capsys: pytest.CaptureFixture[str], outcome: str, detail: str, workflow: str
) -> None:
    """Also where it looks like markup."""
    numbers = LoadNumbers()
    numbers.sent(workflow)
    numbers.answered(workflow, 0.0, 0.0, Answer(0.25, 500, outcome, "http_500", detail))
    generator = load(SlowService())
    generator.numbers = numbers
    display = LoadDisplay(generator, 10.0, on_stderr=False)
    display.announce(f"Sending to {detail}")
    display.summarize()
    asyncio.run(display.written())  # by a thread of its own
    harmless(capsys.readouterr().out)


@given(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_a_problem_is_one_harmless_line(detail: str, members: dict[str, Any]) -> None:
    """curl shows it as it is."""
    problem = Problem(422, "wrong", "Wrong", detail, members)
    body = problem.document("/traces/x")
    assert is_harmless(body.decode())
    assert json.loads(body)["detail"] == json.loads(json.dumps(detail))


async def test_a_path_with_control_characters_comes_back_harmless(api: Api) -> None:
    for path in (
        "/workflows/%1b%c2%9b%e2%80%ae%0a",
        "/traces/%1b%c2%9b%e2%80%ae%0a",
        "/%1b%c2%9b%e2%80%ae%0a",
    ):
        answer = await api.call("POST" if "workflows" in path else "GET", path)
        assert answer.status in (404, 422)
        assert is_harmless(answer.text)


@pytest.mark.parametrize("name", ["call\x1b[2J", "call\x07", "call\nforged"])
async def test_metrics_of_an_operation_with_control_characters_have_a_line_each(api: Api, name: str) -> None:
    """The format itself escapes the line break."""
    async with step(Operation(name, workflow="text")):
        pass
    lines = (await api.get("/metrics")).text.splitlines()
    assert all(
        line.startswith(("#", "resilience_", "http_", "process_", "python_", "retryscope_")) for line in lines
    )
