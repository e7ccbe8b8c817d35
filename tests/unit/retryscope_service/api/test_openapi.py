"""``/openapi.json``: valid, complete, and true. Every answer in the tests here is held against it too."""

import re

from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from retryscope_service.api.web import WebRoutes
from retryscope_service.workflows import WORKFLOWS
from tests.unit.retryscope_service.helpers import DOCUMENT, ROUTES, Api


async def test_it_is_served_as_it_is_made(api: Api) -> None:
    """With the version of the package."""
    answer = await api.get("/openapi.json")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.json() == DOCUMENT


def test_it_is_a_valid_openapi_document() -> None:
    """OpenAPI 3.1, by the specification's own schema."""
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


async def test_every_route_is_documented_or_of_the_page_and_every_documented_one_is_there(api: Api) -> None:
    """Workflows are documented one by one, since each has a schema of its own."""
    of_the_page = {(route.method, route.path) for route in WebRoutes.ROUTES}
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
    assert of_the_page == {("GET", "/"), ("GET", "/assets/{name}")}
    assert routes == documented | of_the_page
    assert not documented & of_the_page
    assert {path for path in DOCUMENT["paths"] if re.fullmatch(r"/workflows/\w+", path)} == {
        f"/workflows/{name}" for name in WORKFLOWS
    }


def test_a_refusal_for_want_of_a_token_is_documented_where_one_is_needed() -> None:
    """And nowhere else."""
    refused = {(route.method, route.path): not route.open for route in ROUTES if route.operation}
    assert refused == {
        (route.method, route.path): all(
            "401" in operation["responses"] for operation in route.documented().values()
        )
        for route in ROUTES
        if route.operation
    }


def test_routes_of_one_path_agree_on_tokens_and_spans() -> None:
    """Both are looked up by path: what one method's route says must not be lost to another's."""
    said = {(route.path, route.open, route.traced) for route in ROUTES}
    assert len(said) == len({route.path for route in ROUTES})


def test_only_what_starts_or_cancels_runs_and_the_list_of_workflows_is_traced() -> None:
    """What only looks would push out of ``/traces`` what it is for."""
    assert {(route.method, route.path) for route in ROUTES if route.traced} == {
        ("GET", "/workflows"),
        ("POST", "/workflows/{workflow}"),
        ("POST", "/workflows/{workflow}/runs"),
        ("POST", "/runs/{id}/cancel"),
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
