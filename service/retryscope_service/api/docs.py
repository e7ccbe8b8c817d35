"""``/docs``: the OpenAPI document as a page, without scripts and without anything from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from aiohttp import web

from retryscope_service.api.openapi_parts import get
from retryscope_service.api.route import Resource, Route
from retryscope_service.http.page import page_response, render_page
from retryscope_service.http.root_path import public_url

_ADDRESS: Final = "http://127.0.0.1:8080"
"""Stands for the address at which the reader sees the page."""


def render_docs(document: dict[str, Any]) -> str:
    """The page for an OpenAPI document."""
    info = document["info"]
    operations = "".join(
        _operation(method, path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return render_page(
        f"{info['title']} API",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        '<p>The same as <a href="openapi.json">OpenAPI 3.1</a>. Errors are '
        "<code>application/problem+json</code>. What to do about an alert: "
        '<a href="docs/runbook">runbook</a>.</p>'
        f"{operations}",
    )


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation['summary'])}</p>"]
    if parameters := operation.get("parameters"):
        parts.append(_request_parameters(parameters))
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
        parts.append(_parameters(schema, content["example"], document["components"]["schemas"]))
        given = {key: value for key, value in content["example"].items() if value is not None}
        if "time_scale" in schema["properties"]:
            given["time_scale"] = 0.01  # nobody who tries it wants to wait
        example = json.dumps(given)
        curl = "curl" if method == "post" else f"curl -X {method.upper()}"
        parts.append(f"<pre>{escape(f'{curl} --json {_quoted(example)} {_ADDRESS}{path}')}</pre>")
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    parts.append(f"<table><tr><th>status</th><th>meaning</th></tr>{answers}</table>")
    return "".join(parts)


def _request_parameters(parameters: list[dict[str, Any]]) -> str:
    """What goes into the address or a header."""
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
        f"<td>{_default(each)}</td><td>{escape(_bounds(each['schema']))}</td>"
        f"<td>{escape(each.get('description', ''))}</td></tr>"
        for each in parameters
    )
    return (
        "<table><tr><th>parameter</th><th>in</th><th>default</th><th>bounds</th><th>meaning</th></tr>"
        f"{rows}</table>"
    )


def _default(parameter: dict[str, Any]) -> str:
    if parameter.get("required"):
        return "required"
    default = parameter["schema"].get("default")
    return "" if default is None else f"<code>{escape(json.dumps(default))}</code>"


def _quoted(text: str) -> str:
    return f"'{text}'"


def _parameters(schema: dict[str, Any], defaults: dict[str, Any], schemas: Mapping[str, Any]) -> str:
    rows = "".join(_rows(schema, defaults, schemas))
    return f"<table><tr><th>parameter</th><th>default</th><th>bounds</th><th>meaning</th></tr>{rows}</table>"


def _rows(
    schema: dict[str, Any], defaults: dict[str, Any], schemas: Mapping[str, Any], section: str = ""
) -> Iterator[str]:
    """A row for each property; one that is a section of its own has its properties' rows after its own."""
    required = schema.get("required", ())
    for name, each in schema["properties"].items():
        default = json.dumps(defaults.get(name, each.get("default")))
        yield (
            f"<tr><td><code>{escape(section + name)}</code></td>"
            f"<td>{'required' if name in required else f'<code>{escape(default)}</code>'}</td>"
            f"<td>{escape(_bounds(each))}</td><td>{escape(each.get('description', ''))}</td></tr>"
        )
        for part in each.get("anyOf", ()):
            if "$ref" in part:
                yield from _rows(schemas[part["$ref"].rpartition("/")[2]], {}, schemas, f"{section}{name}.")


_BOUNDS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches {}",
}


def _bounds(schema: dict[str, Any]) -> str:
    """The bounds of a property in words; of an optional one those of its other half."""
    for alternative in schema.get("anyOf", ()):
        if alternative.get("type") != "null":
            return _bounds(alternative)
    if "enum" in schema:
        return " or ".join(schema["enum"])
    items = [_bounds(schema["items"])] if schema.get("type") == "array" else []
    return ", ".join(
        [*filter(None, items), *(text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema)]
    )


class DocsRoutes(Resource):
    """The route ``/docs``."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._page = render_docs(document)

    async def docs(self, request: web.Request) -> web.Response:
        """The page."""
        return page_response(self._page.replace(_ADDRESS, escape(public_url(request))))

    ROUTES = (
        Route(
            "GET",
            "/docs",
            docs,
            get("getDocs", "This document as a page.", media_types=("text/html",)),
            open=True,
        ),
    )
