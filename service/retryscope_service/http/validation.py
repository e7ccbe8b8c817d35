"""Reading a request's parameters: whatever is wrong with them names field, value and bound."""

import asyncio
import codecs
import json
import zlib
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from retryscope_service.http.problems import Problem

M = TypeVar("M", bound=BaseModel)

BODY_SECONDS: Final = 30.0
"""How long a client may take to send its body."""
_WINDOW_BITS: Final = {"": 0, "identity": 0, "gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Of zlib, by Content-Encoding. It is undone here, because aiohttp takes what is cut off for whole."""
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
"""Of JSON; ASCII is UTF-8 too."""
_SHOWN = 100
"""Characters of a wrong value that an error repeats."""
_MAX_ERRORS = 20
"""Wrong parameters that one answer names; a body may hold thousands."""
_DATE_TIME = "date and time with a time zone"
_TYPES = {
    "datetime_from_date_parsing": _DATE_TIME,
    "datetime_parsing": _DATE_TIME,
    "datetime_type": _DATE_TIME,
    "dict_type": "object",
    "finite_number": "finite",
    "float_type": "number",
    "int_from_float": "integer",
    "int_type": "integer",
    "list_type": "list",
    "model_type": "object",
    "string_type": "text",
    "timezone_aware": _DATE_TIME,
}
"""What a value of the wrong type should have been, by pydantic's name of the error."""


async def read_params(
    request: web.Request,
    model: type[M],
    max_body_bytes: int,
    remedy: str = "RETRYSCOPE_MAX_BODY_BYTES sets the limit",
    *,
    required: bool = False,
) -> M:
    """The request's JSON body as a validated model.

    Args:
        request: The request.
        model: What the body must be.
        max_body_bytes: Largest body; the application's own limit does not count.
        remedy: What to do about a body that is larger.
        required: Refuse an empty body, which else means all defaults.

    Raises:
        Problem: 400 malformed JSON or no body, 408 too slow, 413 too large, 415 not JSON in UTF-8, 422 wrong
            parameters.
    """
    if request.can_read_body:
        _check_media_type(request)
    body = (await _read(request, max_body_bytes, remedy)).removeprefix(codecs.BOM_UTF8)
    if required and not body:
        raise Problem(400, "missing-body", "Missing body", "The body is empty; send parameters as JSON.")
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise problem_of(error) from None


def _check_media_type(request: web.Request) -> None:
    charset = request.charset or "utf-8"
    if request.content_type != "application/json":
        sent = f"The Content-Type is {_cut(request.content_type)}"
    elif charset.lower() not in _CHARSETS:
        sent = f"The charset is {_cut(charset)}"
    else:
        sent = ""
    if sent:
        raise Problem(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            f"{sent}; send parameters as application/json, which is UTF-8.",
            headers={"Accept-Post": "application/json"},
        )
    encoding = _encoding(request)
    if encoding not in _WINDOW_BITS:
        raise Problem(
            415,
            "unsupported-content-encoding",
            "Unsupported content encoding",
            f"The Content-Encoding is {_cut(encoding)}; send the body as it is, or with gzip or deflate.",
            headers={"Accept-Encoding": "gzip, deflate"},
        )


async def _read(request: web.Request, max_body_bytes: int, remedy: str) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.clone(client_max_size=max_body_bytes).read()
    except TimeoutError:
        raise Problem(
            408,
            "request-timeout",
            "Request timeout",
            f"The body was not there within {BODY_SECONDS:g} s.",
            headers={"Connection": "close"},
        ) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(request, max_body_bytes, remedy) from None
    except web.RequestPayloadError:
        raise _malformed_body() from None
    window_bits = _WINDOW_BITS[_encoding(request)] if body else 0
    if not window_bits:
        return body
    stream = zlib.decompressobj(window_bits)
    try:
        plain = stream.decompress(body, max_body_bytes + 1)
    except zlib.error:
        raise _malformed_body() from None
    if len(plain) > max_body_bytes:
        raise _too_large(request, max_body_bytes, remedy)
    if not stream.eof or stream.unused_data:
        raise _malformed_body()
    return plain


def _encoding(request: web.Request) -> str:
    return request.headers.get("Content-Encoding", "").strip().lower()


def _too_large(request: web.Request, max_body_bytes: int, remedy: str) -> Problem:
    return Problem(
        413,
        "content-too-large",
        "Content too large",
        f"The body is larger than {max_body_bytes} bytes; {remedy}.",
        {"value": request.content_length, "bound": max_body_bytes},
    )


def _malformed_body() -> Problem:
    return Problem(
        400,
        "malformed-body",
        "Malformed body",
        "The body is not what its headers say: Content-Encoding, Transfer-Encoding or Content-Length is"
        " wrong, or it was cut off.",
    )


def problem_of(error: ValidationError) -> Problem:
    """What is wrong with a body, in words."""
    details = error.errors(include_url=False)
    if details[0]["type"] == "json_invalid":
        reason = details[0]["ctx"]["error"]
        return Problem(400, "malformed-json", "Malformed JSON", f"The body is not JSON: {reason}.")
    errors = [_describe(detail) for detail in details[:_MAX_ERRORS]]
    messages = [each["message"] for each in errors]
    if len(details) > _MAX_ERRORS:
        messages.append(f"{len(details) - _MAX_ERRORS} more are wrong.")
    return Problem(422, "invalid-parameters", "Invalid parameters", " ".join(messages), {"errors": errors})


def _describe(detail: ErrorDetails) -> dict[str, Any]:
    # What a whole object is checked for may be about one of its fields, which it then names.
    field = _cut(".".join(map(str, detail["loc"]))) or detail.get("ctx", {}).get("field", "(body)")
    value = _shown(detail["input"])
    bound = _bound(detail)
    described: dict[str, Any] = {"field": field, "value": value}
    if bound is not None:
        described["bound"] = bound
    if detail["type"] == "extra_forbidden":
        described["message"] = f"{field} is not a parameter here."
    elif detail["type"] == "missing":
        del described["value"]
        described["message"] = f"{field} is missing."
    else:
        described["message"] = f"{field} is {json.dumps(value)}: {detail['msg'].lower()}."
    return described


def _shown(value: object) -> Any:
    """The value as JSON can carry it, cut to a length that an error should have."""
    if isinstance(value, str):
        return _cut(value)
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except ValueError:  # NaN and infinities, which pydantic reads but JSON does not have
        return _cut(str(value))
    return value if len(text) <= _SHOWN else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _bound(detail: ErrorDetails) -> str | None:
    """The bound that was broken, for example ``<= 1000``."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    context = detail.get("ctx", {})
    for key, sign in signs.items():
        if key in context:
            limit = context[key]
            return f"{sign} {limit if isinstance(limit, int) else format(limit, 'g')}"
    if "max_length" in context:
        return f"at most {context['max_length']} long"
    if "min_length" in context:
        return f"at least {context['min_length']} long"
    if "expected" in context:
        return str(context["expected"])
    return _TYPES.get(detail["type"])
