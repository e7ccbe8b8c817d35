"""Query parameters: what the OpenAPI document describes is taken, everything else is named and refused."""

from typing import Any

import pytest

from tests.unit.retryscope_service.helpers import DOCUMENT, Api

ROUTES = sorted(
    (method.upper(), path.replace("{trace_id}", "a" * 32).replace("{id}", "b"), path)
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
)
"""Every method and path that is described."""


def described(method: str, path: str) -> dict[str, Any]:
    parameters = DOCUMENT["paths"][path][method.lower()].get("parameters", ())
    return {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}


@pytest.mark.parametrize(("method", "path", "template"), ROUTES)
async def test_a_parameter_that_is_not_described_is_refused(
    api: Api, method: str, path: str, template: str
) -> None:
    """On every route, whatever its method; the answer says which there are."""
    answer = await api.call(method, f"{path}?statsu=failed")
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"]) == ("statsu", "failed")
    assert all(name in error["bound"] for name in described(method, template))


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        (method, path, name)
        for method, path, template in ROUTES
        for name, schema in described(method, template).items()
        if schema["type"] != "array"
    ],
)
async def test_what_can_be_given_once_is_not_given_twice(api: Api, method: str, path: str, name: str) -> None:
    """One of the two would be dropped."""
    answer = await api.call(method, f"{path}?{name}=1&{name}=2")
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"], error["bound"]) == (name, "1, 2", "given once")


async def test_nothing_is_started_by_a_request_with_a_wrong_parameter(api: Api) -> None:
    with api.recorded.changes() as changes:
        assert (await api.call("POST", "/workflows/retry?seed=1")).status == 422
    assert [name for name in changes if name.startswith("resilience")] == []


async def test_the_page_takes_any(api: Api) -> None:
    """Its address may be followed from elsewhere; what it asks the API for is what there is."""
    assert (await api.get("/?from=mail")).status == 200
    assert (await api.get("/assets/none.js?v=1")).status == 404


async def test_a_head_is_asked_for_as_a_get(api: Api) -> None:
    assert (await api.call("HEAD", "/traces?limit=1")).status == 200
    assert (await api.call("HEAD", "/traces?limits=1")).status == 422
