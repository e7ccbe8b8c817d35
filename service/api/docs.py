"""``/docs``: the OpenAPI document as a page, without scripts and without anything from elsewhere."""

import base64
import hashlib
import json
from html import escape
from typing import Any

from aiohttp import web

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem;
  color: CanvasText; background: Canvas; color-scheme: light dark; }
h2 { margin-top: 2.5rem; font: 600 1.1rem ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid GrayText; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid GrayText; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_CSP = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


def render_docs(document: dict[str, Any]) -> str:
    """The page for an OpenAPI document."""
    info = document["info"]
    operations = "".join(
        _operation(method, path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        '<p>The same as <a href="/openapi.json">OpenAPI 3.1</a>. Errors are '
        "<code>application/problem+json</code>.</p>"
        f"{operations}</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation['summary'])}</p>"]
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        parts.append(_parameters(document["components"]["schemas"][name]["properties"], content["example"]))
        given = {key: value for key, value in content["example"].items() if value is not None}
        example = json.dumps({**given, "time_scale": 0.01})
        parts.append(f"<pre>{escape(f'curl --json {_quoted(example)} http://127.0.0.1:8080{path}')}</pre>")
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    parts.append(f"<table><tr><th>status</th><th>meaning</th></tr>{answers}</table>")
    return "".join(parts)


def _quoted(text: str) -> str:
    return f"'{text}'"


def _parameters(properties: dict[str, Any], defaults: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td><code>{escape(json.dumps(defaults[name]))}</code></td>"
        f"<td>{escape(_bounds(schema))}</td><td>{escape(schema.get('description', ''))}</td></tr>"
        for name, schema in properties.items()
    )
    return f"<table><tr><th>parameter</th><th>default</th><th>bounds</th><th>meaning</th></tr>{rows}</table>"


_BOUNDS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}


def _bounds(schema: dict[str, Any]) -> str:
    """The bounds of a property in words; of an optional one those of its other half."""
    for alternative in schema.get("anyOf", ()):
        if alternative.get("type") != "null":
            return _bounds(alternative)
    if "enum" in schema:
        return " or ".join(schema["enum"])
    return ", ".join(text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema)


class DocsRoutes:
    """The routes ``/docs`` and, as long as there is no console, ``/``."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._page = render_docs(document)

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.get("/docs", self.docs), web.get("/", self.root)]

    async def docs(self, request: web.Request) -> web.Response:
        """The page."""
        headers = {"Content-Security-Policy": _CSP, "X-Content-Type-Options": "nosniff"}
        return web.Response(text=self._page, content_type="text/html", headers=headers)

    async def root(self, request: web.Request) -> web.Response:
        """Go to the page."""
        raise web.HTTPFound("/docs")
