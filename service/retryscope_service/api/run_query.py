"""What a request says of background runs in its query and headers, each described beside how it is read."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from retryscope.outcome import OUTCOMES
from retryscope_service.http.paging import LIMIT_PARAMETER
from retryscope_service.http.problems import invalid_parameter
from retryscope_service.http.query import TRACE_ID, choices, choices_parameter
from retryscope_service.runs.cursor import Cursor
from retryscope_service.runs.filter import FAILURES, Filter
from retryscope_service.runs.state import STATES
from retryscope_service.workflows import WORKFLOWS

_ASCII: Final = "1 to 200 printable ASCII characters long"
_IDEMPOTENCY_KEY: Final = re.compile(r"^[!-~]([ -~]{0,198}[!-~])?$")
_CURSOR: Final = re.compile(r"^-[0-9]{1,12}(\.[0-9]{1,12})?_[0-9a-f-]{1,40}$")
_ERROR_TYPE: Final = re.compile(r"^[ -~]{1,200}$")
_LAST_EVENT_ID: Final = re.compile(r"^[0-9]{0,9}$")


def _text(pattern: re.Pattern[str]) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern.pattern}


def _time_parameter(name: str, description: str) -> dict[str, Any]:
    time = {"type": "string", "format": "date-time"}
    return {"name": name, "in": "query", "description": description, "schema": time}


IDEMPOTENCY_KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body give the same run.",
    "schema": _text(_IDEMPOTENCY_KEY),
}
LAST_EVENT_ID_PARAMETER: Final[dict[str, Any]] = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "Go on after this event.",
    "schema": _text(_LAST_EVENT_ID),
}
LISTING_PARAMETERS: Final[list[dict[str, Any]]] = [
    choices_parameter("workflow", tuple(WORKFLOWS)),
    choices_parameter("state", STATES),
    choices_parameter("outcome", OUTCOMES),
    {
        **choices_parameter("failures", FAILURES),
        "description": "some: runs that failed, or in which a task did; none: those that ended without.",
    },
    {
        "name": "error_type",
        "in": "query",
        "description": "Of the run's own error or of one of a task.",
        "schema": _text(_ERROR_TYPE),
    },
    {"name": "trace_id", "in": "query", "schema": _text(TRACE_ID)},
    _time_parameter("since", "Submitted then or later."),
    _time_parameter("until", "Submitted then or earlier."),
    {"name": "cursor", "in": "query", "schema": _text(_CURSOR)},
    LIMIT_PARAMETER,
]
"""As the OpenAPI document describes them."""


def idempotency_key(request: web.Request) -> str | None:
    """The header ``Idempotency-Key``.

    Raises:
        Problem: 422, saying what it may be; as each of these does.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid_parameter("Idempotency-Key", key, _ASCII)
    return key


def last_event_id(request: web.Request) -> int:
    """The header ``Last-Event-ID``; -1 if there is none."""
    text = request.headers.get("Last-Event-ID", "")
    if not _LAST_EVENT_ID.fullmatch(text):
        raise invalid_parameter("Last-Event-ID", text, "the id of an event of this run")
    return int(text) if text else -1


def wanted_runs(request: web.Request) -> Filter:
    """Which runs a listing is to have."""
    return Filter(
        workflow=choices(request, "workflow", tuple(WORKFLOWS)),
        state=choices(request, "state", STATES),
        outcome=choices(request, "outcome", OUTCOMES),
        failures=choices(request, "failures", FAILURES),
        error_type=_matching(request, "error_type", _ERROR_TYPE, _ASCII),
        trace_id=_matching(request, "trace_id", TRACE_ID, "32 hexadecimal digits in small letters"),
        since=_time(request, "since"),
        until=_time(request, "until"),
    )


def page_cursor(request: web.Request) -> Cursor | None:
    """Where a listing goes on."""
    text = _matching(request, "cursor", _CURSOR, "the cursor of an earlier answer")
    if text is None:
        return None
    score, _, run_id = text.partition("_")
    return Cursor(score, run_id)


def _matching(request: web.Request, name: str, pattern: re.Pattern[str], must_be: str) -> str | None:
    text = request.query.get(name)
    if text is not None and not pattern.fullmatch(text):
        raise invalid_parameter(name, text, must_be)
    return text


def _time(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_parameter(name, text, "a time as 2026-01-31T12:00:00Z") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
