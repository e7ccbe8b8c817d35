"""Attributes as OTLP protobuf: what repeats is encoded once.

The SDK's encoder builds a message object for each value, ten times the cost of the span itself. Operation,
workflow, outcome and attempt number are the same few pairs in every span: their bytes are remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final, NoReturn

from retryscope import semconv

OF_SPAN: Final = b"\x4a"
OF_EVENT: Final = b"\x1a"
OF_LINK: Final = b"\x22"
OF_RESOURCE: Final = b"\x0a"
OF_SCOPE: Final = b"\x1a"
"""Tags of a key-value pair, by what it belongs to."""

PLAIN: Final = frozenset({str, int, float, bool})
"""Types whose values can't be changed by whoever keeps them, and need no cleaning."""

_MAX_PAIRS: Final = 4096
_LONGEST_REMEMBERED: Final = 64
_NEVER_TWICE: Final = frozenset(
    {
        semconv.EXCEPTION_MESSAGE,
        semconv.EXCEPTION_STACKTRACE,
        semconv.TASK_NAME,
        semconv.URL_FULL,
        semconv.URL_PATH,
    }
)
"""Keys whose values would only push out those that do repeat."""

_DOUBLE: Final = Struct("<cd").pack
_DOUBLE_FIELD: Final = Struct("<3sd").pack
_INT64: Final = range(-(2**63), 2**63)
_LOW_64: Final = (1 << 64) - 1

_log = logging.getLogger("retryscope")


def varint(number: int) -> bytes:
    """A number >= 0 in base 128.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


VARINTS: Final = [varint(number) for number in range(4096)]


def sized(tag: bytes, content: bytes) -> bytes:
    """A field of variable length.

    >>> sized(bytes([10]), b"name").hex()
    '0a046e616d65'
    """
    size = len(content)
    return tag + (VARINTS[size] if size < 4096 else varint(size)) + content


def text(value: str) -> bytes:
    """As UTF-8, also where half a character stands alone: the SDK would lose the whole batch with it."""
    return value.encode("utf-8", "backslashreplace")


class AttributeSet(dict[str, Any]):
    """Attributes that many spans have. They are encoded once, and can't be changed.

    Args:
        pairs: Keys and values.
        tag: What they belong to; elsewhere they are attributes like any others.

    >>> AttributeSet({"resilience.outcome": "success"})["resilience.outcome"]
    'success'
    """

    __slots__ = ("_encoded", "tag")

    def __init__(self, pairs: Mapping[str, str | int | float | bool], tag: bytes = OF_SPAN) -> None:
        dict.__init__(self, pairs)
        self.tag = tag
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """As attributes of what they belong to."""
        if self._encoded is None:
            self._encoded = _joined(self.tag, self)
        return self._encoded

    def plus(self, key: str, value: str | float) -> AttributesPlus:
        """These and one more, whose key is none of these.

        >>> dict(AttributeSet({"number": 1}).plus("delay", 0.5))
        {'number': 1, 'delay': 0.5}
        """
        return AttributesPlus(self, key, value)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("these attributes can't be changed: many spans have them")

    __setitem__ = __delitem__ = __ior__ = update = pop = popitem = setdefault = clear = _refuse


class AttributesPlus(Mapping[str, Any]):
    """An :class:`AttributeSet` and one value that varies. No dictionary: many are kept through a wait.

    Args:
        many: Those that others have, too.
        key: None of theirs.
        value: Of this one only.
    """

    __slots__ = ("_key", "_many", "_value")

    def __init__(self, many: AttributeSet, key: str, value: str | float) -> None:
        self._many = many
        self._key = key
        self._value = value

    @property
    def tag(self) -> bytes:
        """What they belong to."""
        return self._many.tag

    @property
    def encoded(self) -> bytes:
        """As attributes of that."""
        many = self._many
        return many.encoded + _pair(many.tag, self._key, self._value)

    def copy(self) -> dict[str, Any]:
        """A dictionary: older SDKs copy what they are given, by the method of one."""
        return dict(self)

    def __getitem__(self, key: str) -> Any:
        return self._value if key == self._key else self._many[key]

    def __contains__(self, key: object) -> bool:
        return key == self._key or key in self._many

    def __iter__(self) -> Iterator[str]:
        yield from self._many
        yield self._key

    def __len__(self) -> int:
        return len(self._many) + 1


PREPARED: Final[frozenset[type]] = frozenset({AttributeSet, AttributesPlus})
"""What needs no cleaning, and knows how it is encoded."""


def encode_attributes(tag: bytes, pairs: Mapping[str, Any] | None) -> bytes:
    """Key-value pairs; one that can't be encoded is left out, as the SDK does."""
    if type(pairs) in PREPARED:
        prepared: Any = pairs
        if prepared.tag is tag:
            encoded: bytes = prepared.encoded
            return encoded
    if not pairs:
        return b""
    return _joined(tag, pairs)


def _joined(tag: bytes, pairs: Mapping[str, Any]) -> bytes:
    try:
        return b"".join([_pair(tag, key, value) for key, value in pairs.items()])
    except Exception:
        return b"".join([_pair_or_nothing(tag, key, value) for key, value in pairs.items()])


def _pair_or_nothing(tag: bytes, key: str, value: Any) -> bytes:
    try:
        return _pair(tag, key, value)
    except Exception:
        _log.warning("attribute %s is left out: it can't be encoded", key, exc_info=True)
        return b""


_pairs: dict[tuple[bytes, str, Any, type], bytes] = {}


def _pair(tag: bytes, key: str, value: Any) -> bytes:
    kind = type(value)
    # The type is part of the key, as 1, 1.0 and True are equal. Floats are as good as never the same twice.
    if (kind is str and (len(value) > _LONGEST_REMEMBERED or key in _NEVER_TWICE)) or (
        kind is not str and kind is not int and kind is not bool
    ):
        return _encoded_pair(tag, key, value)
    known = _pairs.get((tag, key, value, kind))
    if known is None:
        if len(_pairs) >= _MAX_PAIRS:  # somebody's values are many: those that repeat are soon back
            _pairs.clear()
        known = _pairs[tag, key, value, kind] = _encoded_pair(tag, key, value)
    return known


_keys: dict[str, bytes] = {}


def _encoded_pair(tag: bytes, key: str, value: Any) -> bytes:
    named = _keys.get(key)
    if named is None:
        if len(_keys) >= _MAX_PAIRS:
            _keys.clear()
        named = _keys[key] = sized(b"\x0a", text(key))
    if type(value) is float:
        return sized(tag, named + _DOUBLE_FIELD(b"\x12\x09\x21", value))
    return sized(tag, named + sized(b"\x12", _any_value(value)))


def _any_value(value: Any) -> bytes:
    if isinstance(value, str):
        return sized(b"\x0a", text(value))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if value not in _INT64:
            raise ValueError(f"{value} has more than 64 bits")
        return b"\x18" + varint(value & _LOW_64)
    if isinstance(value, float):
        return _DOUBLE(b"\x21", value)
    if isinstance(value, bytes):
        return sized(b"\x3a", value)
    if value is None:
        return b""
    if isinstance(value, Sequence):
        return sized(b"\x2a", b"".join([sized(b"\x0a", _any_value(each)) for each in value]))
    if isinstance(value, Mapping):
        pairs = [_encoded_pair(b"\x0a", str(key), each) for key, each in value.items()]
        return sized(b"\x32", b"".join(pairs))
    raise TypeError(f"a {type(value).__qualname__} is no value of an attribute")
