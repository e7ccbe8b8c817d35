"""Every error is a problem document: also those of the framework, and a bug."""

import logging

import pytest

from retryscope_service.api import workflows
from tests.unit.retryscope_service.helpers import DOCUMENT, Api

ROUTES = [
    (path.replace("{trace_id}", "0" * 32).replace("{id}", "7"), method.upper())
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
]
RIGHT = {
    "/docs/runbook": {"GET"},
    **{path: {method for each, method in ROUTES if each == path} for path, _ in ROUTES},
}
"""The methods of each path."""


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/workflow", "/workflows/", "/workflows/retry/", "/metrics/", "/healthz"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_path_that_is_not_there(api: Api, method: str, path: str) -> None:
    """404, a trailing slash is none of the routes."""
    answer = await api.call(method, path)
    problem = answer.json()
    assert (answer.status, problem["type"]) == (404, "urn:retryscope:problem:not-found")
    assert problem["title"] == "Not Found"
    assert "/docs lists what there is" in problem["detail"]


@pytest.mark.parametrize(
    "path",
    ["//", "/%2e%2e/%2e%2e", "/%ff%fe", "/workflows/%ff", "/traces/%ff", "/%00", "/workflows/a%0d%0ab"],
)
async def test_a_path_that_is_no_text(api: Api, path: str) -> None:
    """Bytes that are no UTF-8 and control characters are answered like any other unknown path."""
    answer = await api.raw(f"POST {path} HTTP/1.1", "Content-Length: 0")
    assert answer.status in {400, 404, 405}
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        (method, path, right)
        for path, right in RIGHT.items()
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if method not in right
    ],
)
async def test_a_method_that_does_not_work_there(api: Api, method: str, path: str, right: set[str]) -> None:
    """405 with Allow, and the detail says what works."""
    answer = await api.call(method, path)
    problem = answer.json()
    assert (answer.status, problem["type"]) == (405, "urn:retryscope:problem:method-not-allowed")
    assert set(answer.headers["Allow"].split(",")) == right | ({"HEAD"} if "GET" in right else set())
    assert f"use {', '.join(answer.headers['Allow'].split(','))}." in problem["detail"]


@pytest.mark.parametrize("method", ["PROPFIND", "PURGE", "SUBSCRIBE"])
async def test_a_method_of_another_protocol(api: Api, method: str) -> None:
    """405 too; in span and metric it is folded, so that no client can make series."""
    with api.recorded.changes() as changes:
        answer = await api.call(method, "/workflows/retry")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    (series,) = (name for name in changes if name.startswith("http_server_request_duration_seconds_count"))
    assert 'http_request_method="_OTHER"' in series
    (span,) = api.recorded.spans()
    assert span.name == "HTTP"


@pytest.mark.parametrize(
    ("path", "right"),
    # A stream has no end; its own tests ask for its head.
    [route for route in ROUTES if route[1] == "GET" and route[0] != "/console/stream"],
)
async def test_head_is_get_without_the_body(api: Api, path: str, right: str) -> None:
    """Wherever GET works."""
    get, head = await api.call("GET", path), await api.call("HEAD", path)
    assert head.status == get.status
    assert head.body == b""
    assert head.content_type == get.content_type


async def test_head_of_what_is_not_there(api: Api) -> None:
    """The status of the error, without its document."""
    answer = await api.call("HEAD", "/nothing")
    assert (answer.status, answer.body) == (404, b"")


async def test_a_bug_is_answered_without_its_details_and_recorded_once(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500; the exception is on the request's span and in the log, and nowhere in the answer."""
    monkeypatch.setattr(workflows, "_answer", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR, "retryscope_service"):
        observed = await api.observe("retry", failure_rate=0)
    assert observed.answer is not None
    assert observed.answer.json() == {
        "type": "urn:retryscope:problem:internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": "The service has a bug; its log has the details.",
        "instance": "/workflows/retry",
    }
    server, *inside = observed.tree.partition("  workflow retry")
    assert server.startswith("POST /workflows/{workflow} SERVER [0..0.2] ERROR 'division by zero'\n")
    assert "  . error.type = ZeroDivisionError\n" in server
    assert "  ! exception [0.2] exception.message=division by zero" in server
    assert "ZeroDivisionError" not in "".join(inside)
    (record,) = caplog.records
    assert record.exc_info
    assert record.getMessage() == "unhandled error in POST /workflows/retry"
