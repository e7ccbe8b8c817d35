"""Wrong input of every kind: the answer names field, value and bound, nothing starts, the service goes on."""

import codecs
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from retryscope_service.console.console import Console
from retryscope_service.workflows import WORKFLOWS
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.api.bounds import Case, at_bounds, fields
from tests.unit.retryscope_service.helpers import DOCUMENT, PROBLEM, Answer, Api, serving


@pytest.fixture
async def refusing(api: Api) -> AsyncIterator[Api]:
    """The service; after the test, no run has started, and one can be."""
    yield api
    assert [span.name for span in api.recorded.spans() if span.name.startswith("workflow ")] == []
    assert (await api.run("retry", failure_rate=0)).status == 200


BOUNDS = list(at_bounds())


def test_every_parameter_has_bounds() -> None:
    """A parameter that is no bool, object or null can't be added without them."""
    bounded = {(case.workflow, case.field) for case, _ in BOUNDS}
    for workflow in WORKFLOWS:
        for field, schema in fields(workflow):
            if schema.get("type") in {"integer", "number", "string", "array"}:
                assert (workflow, field) in bounded, f"{workflow} {field} has no bounds"
    both = {"minimum", "exclusiveMinimum"}
    for workflow in WORKFLOWS:
        for field, schema in fields(workflow):
            if schema.get("type") in {"integer", "number"}:
                assert both & schema.keys(), f"{workflow} {field} has no lower bound"
                assert "maximum" in schema, f"{workflow} {field} has no upper bound"


def describe(case: Case) -> str:
    return f"{case.workflow} {case.field} {case.bound} {str(case.value)[:20]}"


POSSIBLE = [
    (200, {"success"}),
    (200, {"timeout"}),
    (200, {"cancelled"}),
    (200, {"success", "cancelled"}),
    (200, {"success", "timeout"}),
    (504, {"cancelled"}),  # a deadline of a millisecond
]


# A checkout needs a shop, which takes real time.
INSIDE = [inside for inside, _ in BOUNDS if inside.workflow != "checkout"]


@pytest.mark.parametrize("case", INSIDE, ids=describe)
async def test_just_inside_each_bound_is_accepted(api: Api, case: Case) -> None:
    """The run ends with an answer: what the schema allows, the workflow can do."""
    for time_scale in (0.0001, 10):
        answer = await api.run(case.workflow, **{"time_scale": time_scale, **case.params})
        outcomes = {task["outcome"] for task in answer.json()["tasks"]}
        if case.field == "failure_rate" and case.value == 1:
            assert outcomes <= {"error", "exhausted"}
        elif case.field == "attempt_timeout" and case.value < 1:
            assert outcomes == {"exhausted"}
        else:
            assert (answer.status, outcomes) in POSSIBLE


@pytest.mark.parametrize("case", [outside for _, outside in BOUNDS], ids=describe)
async def test_just_outside_each_bound_is_refused(refusing: Api, case: Case) -> None:
    """422, with field, value and bound."""
    error = the_error(await refusing.run(case.workflow, **case.params))
    assert error["field"] == case.field
    assert error["bound"] == case.bound
    text = case.value if isinstance(case.value, str) else json.dumps(case.value)
    assert error["value"] == (case.value if len(text) <= 100 else f"{text[:100]}…")
    assert case.field in error["message"]


def the_error(answer: Answer) -> dict[str, Any]:
    """The only error of a problem document about parameters."""
    assert (answer.status, answer.content_type) == (422, PROBLEM)
    problem = answer.json()
    assert problem["type"] == "urn:retryscope:problem:invalid-parameters"
    assert problem["title"] == "Invalid parameters"
    (error,) = problem["errors"]
    assert problem["detail"] == error["message"]
    assert isinstance(error, dict)
    return error


FITTING = {
    "integer": {"1"},
    "number": {"1", "1.5"},
    "string": {'"text"', '"1"'},
    "array": {"[]"},
}
TYPED = [
    (workflow, field, schema["type"])
    for workflow in WORKFLOWS
    for field, schema in fields(workflow)
    if schema.get("type") in FITTING
]


def with_raw(workflow: str, field: str, raw: str) -> str:
    """A body whose parameter has a value that may be no JSON."""
    marker = "the value goes here"
    return json.dumps(Case(workflow, field, marker, "").params).replace(json.dumps(marker), raw)


@pytest.mark.parametrize(("workflow", "field", "type_"), TYPED)
async def test_a_value_of_another_type_is_refused(
    refusing: Api, workflow: str, field: str, type_: str
) -> None:
    """Strictly: no text that looks like a number, no bool for an integer, no 1.5 tasks."""
    for raw in {'"text"', '"1"', "true", "[]", "{}", "1", "1.5"} - FITTING[type_]:
        content = with_raw(workflow, field, raw)
        error = the_error(await refusing.call("POST", f"/workflows/{workflow}", content=content))
        assert error["field"] == field, raw
        assert error["value"] == json.loads(raw), raw
        assert error["bound"], raw


@pytest.mark.parametrize(("workflow", "field", "type_"), TYPED)
async def test_a_number_that_is_none_or_far_too_large_is_refused(
    refusing: Api, workflow: str, field: str, type_: str
) -> None:
    """NaN, infinities, and integers of 4,000 digits; the answer stays short, and is JSON."""
    for raw in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 4_000, "-" + "9" * 4_000):
        content = with_raw(workflow, field, raw)
        answer = await refusing.call("POST", f"/workflows/{workflow}", content=content)
        error = the_error(answer)
        assert error["field"] == field, raw
        assert error["bound"], raw
        assert len(str(error["value"])) <= 101, raw
        assert len(answer.body) < 1000, raw


async def test_a_number_that_no_parser_should_read_is_refused(refusing: Api) -> None:
    """An integer of 10,000 digits is refused while parsing, by its place: 400."""
    answer = await refusing.call("POST", "/workflows/retry", content=f'{{"seed": {"9" * 10_000}}}')
    assert answer.status == 400
    assert "number out of range at line 1 column " in answer.json()["detail"]


async def test_nan_inside_a_wrong_value_comes_back_as_text(refusing: Api) -> None:
    """The answer is JSON, which has no NaN."""
    error = the_error(await refusing.call("POST", "/workflows/retry", content='{"jitter": [NaN]}'))
    assert error["value"] == "[nan]"


@pytest.mark.parametrize("workflow", WORKFLOWS)
async def test_an_unknown_field_is_refused(refusing: Api, workflow: str) -> None:
    """It would otherwise be a parameter that does nothing."""
    error = the_error(await refusing.run(workflow, taks=3))
    assert error == {"field": "taks", "value": 3, "message": "taks is not a parameter here."}


async def test_an_unknown_field_inside_a_list_is_refused(refusing: Api) -> None:
    """The field is named by its whole path."""
    operation = {"name": "API Call", "timeout": 1, "limit": 2}
    error = the_error(await refusing.run("timeouts", operations=[{"name": "a", "timeout": 1}, operation]))
    assert error["field"] == "operations.1.limit"


async def test_a_missing_field_is_named(refusing: Api) -> None:
    """An operation needs a limit."""
    error = the_error(await refusing.run("timeouts", operations=[{"name": "API Call"}]))
    assert error == {"field": "operations.0.timeout", "message": "operations.0.timeout is missing."}


async def test_every_wrong_field_is_named_at_once(refusing: Api) -> None:
    """So that a client need not correct them one by one."""
    answer = await refusing.run("retry", duration=-1, failure_rate=2, jitter="some", whatever=1)
    assert answer.status == 422
    assert answer.json()["errors"] == [
        {
            "field": "duration",
            "value": -1,
            "bound": ">= 0",
            "message": "duration is -1: input should be greater than or equal to 0.",
        },
        {
            "field": "failure_rate",
            "value": 2,
            "bound": "<= 1",
            "message": "failure_rate is 2: input should be less than or equal to 1.",
        },
        {
            "field": "jitter",
            "value": "some",
            "bound": "'full' or 'none'",
            "message": "jitter is \"some\": input should be 'full' or 'none'.",
        },
        {"field": "whatever", "value": 1, "message": "whatever is not a parameter here."},
    ]


async def test_a_long_field_name_is_cut_too(refusing: Api) -> None:
    """Whatever a client writes, the answer is short."""
    answer = await refusing.run("retry", **{"x" * 60_000: 1})
    assert the_error(answer)["field"] == "x" * 100 + "…"


async def test_many_wrong_fields_make_no_long_answer(refusing: Api) -> None:
    """Twenty are named, the others counted."""
    answer = await refusing.run("retry", **{f"unknown{n}": n for n in range(2000)})
    assert answer.status == 422
    assert len(answer.json()["errors"]) == 20
    assert answer.json()["detail"].endswith("1980 more are wrong.")


MALFORMED = {
    "text": b"hello",
    "single quotes": b"{'seed': 1}",
    "no end": b'{"seed": 1',
    "two documents": b'{"seed": 1} {"seed": 1}',
    "trailing comma": b'{"seed": 1,}',
    "comment": b'{"seed": 1} // one',
    "invalid UTF-8": b'{"seed": "\xff\xfe"}',
    "UTF-16": '{"seed": 1}'.encode("utf-16"),
    "a lone surrogate": b'{"seed": "\\ud800"}',
    "a bare control character": b'{"seed": "\x01"}',
    "a null byte": b'{"seed": 1}\x00',
    "100,000 brackets": b"[" * 50_000,
    "deep objects": b'{"a":' * 10_000,
    "white space": b"  \n ",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_json_is_refused(refusing: Api, body: bytes) -> None:
    """400, saying where it stops being JSON."""
    answer = await refusing.call("POST", "/workflows/retry", content=body)
    problem = answer.json()
    assert answer.status == 400
    assert problem["type"] == "urn:retryscope:problem:malformed-json"
    assert problem["title"] == "Malformed JSON"
    assert problem["detail"].startswith("The body is not JSON: ")
    assert len(answer.body) < 1000


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "1", "true", "[1, 2]"])
async def test_json_that_is_no_object_is_refused(refusing: Api, body: str) -> None:
    """The body as a whole is the field."""
    error = the_error(await refusing.call("POST", "/workflows/retry", content=body))
    assert error["field"] == "(body)"
    assert error["value"] == json.loads(body)


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b[31m", "\r\nSet-Cookie: a=b", "\u202e", "<script>", "😀", "\x7f"]
)
async def test_strange_characters_come_back_as_data(refusing: Api, character: str) -> None:
    """Escaped in the JSON; in no header."""
    answer = await refusing.run("retry", jitter=character)
    assert the_error(answer)["value"] == character
    assert "Set-Cookie" not in answer.headers


async def test_a_long_text_is_shown_by_its_beginning(refusing: Api) -> None:
    """A hundred characters of it."""
    error = the_error(await refusing.run("retry", jitter="x" * 60_000))
    assert error["value"] == "x" * 100 + "…"
    assert len(error["message"]) < 300


async def test_with_duplicate_keys_the_last_one_counts_and_is_checked(refusing: Api) -> None:
    """As JSON parsers do: a wrong value can't hide behind a right one."""
    error = the_error(await refusing.call("POST", "/workflows/retry", content='{"seed": 1, "seed": -1}'))
    assert (error["field"], error["value"]) == ("seed", -1)


@pytest.mark.parametrize("content", [None, ""])
async def test_an_empty_body_is_accepted_as_all_defaults(api: Api, content: str | None) -> None:
    """`curl -X POST` is enough, with and without a content type."""
    answer = await api.call("POST", "/workflows/timeouts", content=content)
    assert answer.status == 200
    assert len(answer.json()["tasks"]) == 3


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "garbage", "*/*"]
)
async def test_another_content_type_is_refused(refusing: Api, content_type: str) -> None:
    """415, naming the right one: a page elsewhere can't start runs by a form."""
    answer = await refusing.call(
        "POST", "/workflows/retry", content="{}", headers={"Content-Type": content_type}
    )
    assert answer.status == 415
    assert answer.json()["type"] == "urn:retryscope:problem:unsupported-media-type"
    assert "application/json" in answer.json()["detail"]
    assert answer.headers["Accept-Post"] == "application/json"


async def test_a_charset_and_capitals_in_the_content_type_are_accepted(api: Api) -> None:
    """They are the same media type."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = await api.call("POST", "/workflows/retry", content='{"failure_rate": 0}', headers=headers)
    assert answer.status == 200


class TestBodyTooLarge:
    LIMIT = 1000

    @pytest.fixture
    async def api(self, recorded: Recorded, console: Console) -> AsyncIterator[Api]:
        async with serving(recorded, console, max_body_bytes=self.LIMIT) as api:
            yield api

    def check(self, answer: Answer) -> None:
        problem = answer.json()
        assert answer.status == 413
        assert problem["type"] == "urn:retryscope:problem:content-too-large"
        assert "RETRYSCOPE_MAX_BODY_BYTES" in problem["detail"]
        assert str(self.LIMIT) in problem["detail"]
        assert problem["bound"] == self.LIMIT

    def padded(self, size: int) -> bytes:
        return b'{"failure_rate": 0}'.ljust(size)

    async def test_as_large_as_allowed_is_accepted(self, api: Api) -> None:
        """The bound itself is inside."""
        answer = await api.call("POST", "/workflows/retry", content=self.padded(self.LIMIT))
        assert answer.status == 200

    async def test_announced_by_its_length(self, api: Api) -> None:
        """One byte more is refused."""
        answer = await api.call("POST", "/workflows/retry", content=self.padded(self.LIMIT + 1))
        self.check(answer)
        assert answer.json()["value"] == self.LIMIT + 1

    async def test_in_chunks_of_unknown_length(self, api: Api) -> None:
        """It is refused as soon as it is too large, without waiting for the rest."""

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield self.padded(500)

        self.check(await api.call("POST", "/workflows/retry", content=chunks()))

    async def test_compressed(self, api: Api) -> None:
        """What counts is the size after decompression: a few bytes may not become megabytes."""
        bomb = gzip.compress(b" " * 10_000_000)
        headers = {"Content-Encoding": "gzip"}
        self.check(await api.call("POST", "/workflows/retry", content=bomb, headers=headers))


class TestABodyThatIsNotWhatItClaims:
    """400 or 415, and nothing is run."""

    @pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "klingon", "\xe9"])
    async def test_in_another_charset(self, api: Api, charset: str) -> None:
        """JSON is UTF-8."""
        headers = {"Content-Type": f"application/json; charset={charset}"}
        answer = await api.call("POST", "/workflows/retry", content="{}", headers=headers)
        assert (answer.status, answer.headers["Accept-Post"]) == (415, "application/json")
        assert "UTF-8" in answer.json()["detail"]

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x-unknown"])
    async def test_compressed_by_something_unknown(self, api: Api, encoding: str) -> None:
        """The answer names what is known."""
        headers = {"Content-Encoding": encoding}
        answer = await api.call("POST", "/workflows/retry", content=b"{}", headers=headers)
        assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "gzip, deflate")

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP"])
    async def test_compressed_and_cut_off_anywhere(self, api: Api, encoding: str) -> None:
        """Whole it is taken; without its last byte, or with one more, it is not what it was."""
        text = b'{"failure_rate": 0, "duration": 0, "seed": 1}'
        whole = gzip.compress(text) if encoding.lower() == "gzip" else zlib.compress(text)
        headers = {"Content-Encoding": encoding}

        async def sent(content: bytes) -> Answer:
            return await api.call("POST", "/workflows/retry", content=content, headers=headers)

        assert (await sent(whole)).status == 200
        for wrong in [*(whole[:length] for length in range(1, len(whole))), whole + b"x", text]:
            answer = await sent(wrong)
            assert (answer.status, answer.json()["type"]) == (400, "urn:retryscope:problem:malformed-body")


async def test_a_byte_order_mark_is_no_part_of_the_body(api: Api) -> None:
    """Some programs write one; alone it is an empty body."""
    for body in (b"", b'{"failure_rate": 0}'):
        answer = await api.call("POST", "/workflows/retry", content=codecs.BOM_UTF8 + body)
        assert answer.status in {200, 502}


@pytest.mark.parametrize("seed", ["999.0", "9.99e2", "999"])
async def test_a_whole_number_is_an_integer_however_it_is_written(api: Api, seed: str) -> None:
    """As JSON Schema has it; the document says integer."""
    answer = await api.call("POST", "/workflows/retry", content=f'{{"seed": {seed}, "failure_rate": 0}}')
    assert answer.status == 200


@pytest.mark.parametrize(("method", "path"), [("PUT", "/console/traffic"), ("POST", "/alerts")])
@pytest.mark.parametrize("body", [b"", codecs.BOM_UTF8])
async def test_a_required_body_is_required(api: Api, method: str, path: str, body: bytes) -> None:
    """As the OpenAPI document says: sending nothing switches no traffic on."""
    assert DOCUMENT["paths"][path][method.lower()]["requestBody"]["required"]
    answer = await api.call(method, path, content=body)
    assert (answer.status, answer.json()["type"]) == (400, "urn:retryscope:problem:missing-body")
