"""Attributes as OTLP protobuf."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from retryscope._recording import attributes
from retryscope._recording.attributes import OF_EVENT, OF_SPAN, AttributeSet, encode_attributes, varint


def parsed(pairs: dict[str, Any]) -> list[tuple[str, Any]]:
    span = ProtoSpan.FromString(encode_attributes(OF_SPAN, pairs))
    return [
        (pair.key, getattr(pair.value, pair.value.WhichOneof("value") or "", None))
        for pair in span.attributes
    ]


@given(
    st.dictionaries(
        st.text(), st.one_of(st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats())
    )
)
def test_what_goes_in_comes_out(pairs: dict[str, Any]) -> None:
    """Each value with its type, often enough that it is remembered."""
    for _ in range(2):
        for (key, value), (found_key, found) in zip(pairs.items(), parsed(pairs), strict=True):
            assert (key, type(value)) == (found_key, type(found))
            assert value == found or math.isnan(value)


def test_equal_values_of_different_types_are_told_apart() -> None:
    """Python takes 1, 1.0 and True for the same key."""
    for value in (1, True, 1.0, 1, False, 0):
        ((_, found),) = parsed({"a": value})
        assert (found, type(found)) == (value, type(value))


def test_what_cannot_be_encoded_is_left_out_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A number of more than 64 bits, something else; half a character becomes an escape."""
    assert parsed({"a": 2**63, "b": object(), "c": 1, "d": "\udce9"}) == [("c", 1), ("d", "\\udce9")]
    assert [record.getMessage() for record in caplog.records] == [
        "attribute a is left out: it can't be encoded",
        "attribute b is left out: it can't be encoded",
    ]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids as values don't fill the memory; long texts and messages are not remembered at all."""
    monkeypatch.setattr(attributes, "_MAX_PAIRS", 10)
    attributes._pairs.clear()
    for number in range(100):
        assert parsed({"order": number}) == [("order", number)]
        assert len(attributes._pairs) <= 10
    attributes._pairs.clear()
    encode_attributes(OF_SPAN, {"a": "x" * 65, "exception.message": "no", "f": 1.5})
    assert attributes._pairs == {}


def test_a_set_is_encoded_once_and_cannot_be_changed() -> None:
    """Many spans have it."""
    shared = AttributeSet({"resilience.outcome": "success"})
    assert encode_attributes(OF_SPAN, shared) is encode_attributes(OF_SPAN, shared)
    assert parsed(shared) == [("resilience.outcome", "success")]
    assert encode_attributes(attributes.OF_EVENT, shared) != shared.encoded
    with pytest.raises(TypeError, match="can't be changed"):
        shared["a"] = 1
    with pytest.raises(TypeError, match="can't be changed"):
        shared.update(a=1)


@given(st.integers(0, 2**64))
def test_a_varint(number: int) -> None:
    """Base 128, the lowest first, all but the last marked."""
    data = varint(number)
    assert sum((byte & 127) << (7 * position) for position, byte in enumerate(data)) == number
    assert [byte > 127 for byte in data] == [True] * (len(data) - 1) + [False]


def test_one_value_more_reads_like_any_attributes() -> None:
    """What others have, too, is encoded once; the one that varies with it."""
    many = AttributeSet({"number": 2, "source": "policy"})
    more = many.plus("delay", 0.5)
    assert dict(more) == more.copy() == {"number": 2, "source": "policy", "delay": 0.5}
    assert (len(more), "delay" in more, "number" in more, "limit" in more) == (3, True, True, False)
    assert encode_attributes(OF_SPAN, more) == encode_attributes(OF_SPAN, dict(more))
    assert dict(many) == {"number": 2, "source": "policy"}


def test_attributes_of_an_event_are_prepared_as_such() -> None:
    """Elsewhere they are attributes like any others: the tag is another one."""
    pairs = {"number": 2}
    of_event = AttributeSet(pairs, OF_EVENT)
    for tag in (OF_EVENT, OF_SPAN):
        assert encode_attributes(tag, of_event) == encode_attributes(tag, pairs)
        assert encode_attributes(tag, of_event.plus("delay", 1.0)) == encode_attributes(
            tag, {**pairs, "delay": 1.0}
        )
