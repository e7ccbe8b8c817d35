"""``/openapi.json``: valid, complete, and true. Every answer in the tests here is held against it too."""

import re

from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from service.workflows import WORKFLOWS
from tests.unit.service.helpers import DOCUMENT, Api

NOT_INTERFACE = {"/", "/assets/{name}"}
"""The page with what belongs to it."""


async def test_it_is_served_as_it_is_made(api: Api) -> None:
    """With the version of the package."""
    answer = await api.get("/openapi.json")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.json() == DOCUMENT


def test_it_is_a_valid_openapi_document() -> None:
    """OpenAPI 3.1, by the specification's own schema."""
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


async def test_every_route_is_documented_and_every_documented_one_is_there(api: Api) -> None:
    """Workflows are documented one by one, since each has a schema of its own."""
    routes = {
        (route.method, route.resource.canonical)
        for route in api.client.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    documented = {
        (method.upper(), re.sub(f"/workflows/({'|'.join(WORKFLOWS)})\\b", "/workflows/{workflow}", path))
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    }
    assert {route for route in routes if route[1] not in NOT_INTERFACE} == documented
    assert {path for path in DOCUMENT["paths"] if re.fullmatch(r"/workflows/\w+", path)} == {
        f"/workflows/{name}" for name in WORKFLOWS
    }


def test_operation_ids_differ() -> None:
    """Generated clients make a function of each."""
    ids = [op["operationId"] for methods in DOCUMENT["paths"].values() for op in methods.values()]
    assert len(ids) == len(set(ids))


async def test_the_examples_can_be_sent(api: Api) -> None:
    """Those of workflows are the defaults."""
    for path, methods in DOCUMENT["paths"].items():
        if re.fullmatch(r"/workflows/\w+|/alerts", path):  # in the background: the same ones
            example = methods["post"]["requestBody"]["content"]["application/json"]["example"]
            assert (await api.call("POST", path, example)).status in {200, 204, 502}
