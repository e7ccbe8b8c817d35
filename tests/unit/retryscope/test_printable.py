"""Texts from elsewhere, as a log and an exporter may have them."""

import json
import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope import Operation, message_of, step
from retryscope._recording.stacktrace import format_stacktrace
from retryscope.logs import JsonFormatter
from retryscope.printable import encodable, printable_json
from retryscope_service.traces.otlp_json import to_otlp_json
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.support.texts import TEXTS, is_harmless
from tests.unit.retryscope.helpers import PRICE


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS)))
def test_json_says_the_same_to_a_parser(document: dict[str, object]) -> None:
    text = printable_json(document)
    assert is_harmless(text)
    # A pair of halves that were apart is one character afterwards, as in any JSON.
    assert json.loads(text) == json.loads(json.dumps(document))


@given(TEXTS, TEXTS)
def test_a_log_line_is_one_harmless_line(message: str, value: str) -> None:
    """Whatever the message, what is passed along with it, and the exception say."""
    failed = (ValueError, ValueError(value), None)
    record = logging.LogRecord("x", logging.ERROR, "", 1, "%s", (message,), failed)
    record.extra = value
    assert is_harmless(JsonFormatter("shop").format(record))


@given(TEXTS)
def test_what_can_be_encoded_stays(text: str) -> None:
    """So an exporter can send it."""
    sent = encodable(text).encode().decode()
    assert sent == text or text.encode(errors="ignore") != text.encode(errors="surrogatepass")


def test_a_trace_about_an_undecodable_file_name_can_be_exported(recorded: Recorded) -> None:
    """One such name would take the whole batch with it."""
    error = FileNotFoundError(2, "No such file", "caf\udce9")

    async def main() -> None:
        async with step(PRICE, name="read caf\udce9"):
            raise error

    with pytest.raises(FileNotFoundError):
        run(main())
    text = json.dumps(to_otlp_json(recorded.spans()))
    assert "caf\\\\udce9" in text
    assert "read caf\\\\udce9" in text
    assert message_of(error).isprintable()
    error.add_note("\udce9")
    assert "\\udce9" in format_stacktrace(error)


@pytest.mark.parametrize(("name", "workflow"), [("\ud800", "w"), ("n", "\ud800")])
def test_an_operation_has_names_that_can_be_exported(name: str, workflow: str) -> None:
    """As labels they would make every scrape fail."""
    with pytest.raises(ValueError, match="must be text that UTF-8 can write"):
        Operation(name, workflow=workflow)


class _Silent:
    def __str__(self) -> str:
        raise ValueError


CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    "value",
    [_Silent(), math.nan, -math.inf, CIRCLE, {(1, 2): 3}, 10**5000],
    ids=["silent", "nan", "inf", "circle", "key", "huge"],
)
def test_what_json_has_no_form_for_costs_its_own_value(value: object) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line = json.loads(printable_json({"message": "hello", "odd": value}), parse_constant=refuse)
    assert line["message"] == "hello"
    assert isinstance(line["odd"], str)
