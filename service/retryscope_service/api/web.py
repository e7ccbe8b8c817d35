"""The page: its files, and its place at the addresses that it shares with the API."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

from retryscope_service.api.route import Resource, Route
from retryscope_service.http.accept import prefers_page
from retryscope_service.http.page import page_response, render_page
from retryscope_service.http.root_path import root_path
from retryscope_service.resources import place

DIST: Final = place("web/dist")
"""Where the build leaves the page."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
        " font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_HASHED: Final = re.compile(r".*-[A-Za-z0-9_-]{8}\.[A-Za-z0-9.]+")
_RELATIVE: Final = b'="./'
"""Begins an address in the built page: it is relative, and the page is shown at several."""
_NOT_BUILT: Final = (
    "<h1>Retryscope</h1><p>The service runs; its page was not built.</p>"
    "<p>That needs Node.js 22.12 or later, and is part of the installation unless"
    " <code>RETRYSCOPE_UI=skip</code> is set. In a checkout"
    " <code>.venv/bin/python scripts/build_page.py</code> builds it.</p>"
    '<p>All else works without it: <a href="{root}/docs">the API</a>,'
    ' <a href="{root}/docs/runbook">the runbook</a>,'
    " <code>/metrics</code>, <code>/traces</code> and <code>/runs</code>.</p>"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebRoutes(Resource):
    """The routes of the page.

    Args:
        dist: Folder with the built page.
    """

    def __init__(self, dist: Path) -> None:
        self._index = dist / "index.html"
        self._assets = dist / "assets"

    async def root(self, request: web.Request) -> web.StreamResponse:
        """The page, or why there is none."""
        if self._index.is_file():
            return await self._page(request)
        text = _NOT_BUILT.replace("{root}", root_path(request))
        return page_response(render_page("Retryscope", text))

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A file that the page loads."""
        name = request.match_info["name"]
        file = self._assets / name
        if not _NAME.fullmatch(name) or not file.is_file():
            raise web.HTTPNotFound
        caching = "public, max-age=31536000, immutable" if _HASHED.fullmatch(name) else "no-cache"
        content_type = _TYPES.get(file.suffix, "application/octet-stream")
        headers = {**HEADERS, "Content-Type": content_type, "Cache-Control": caching}
        return await _file_response(request, file, headers)

    def middleware(self, shared: Collection[str]) -> Callable[..., Awaitable[web.StreamResponse]]:
        """An aiohttp middleware that gives a browser the page at addresses that it shares with the API.

        The page needs no token, so put this before what asks for one.
        """

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            if resource is None or resource.canonical not in shared or request.method not in ("GET", "HEAD"):
                return await handler(request)
            if prefers_page(request.headers.get("Accept", "")) and self._index.is_file():
                return await self._page(request)
            response = await handler(request)
            response.headers.setdefault("Vary", "Accept")
            return response

        return middleware

    async def _page(self, request: web.Request) -> web.Response:
        headers = {
            **HEADERS,
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-cache",
            "Vary": "Accept",
        }
        return await _file_response(
            request, self._index, headers, (_RELATIVE, f'="{root_path(request)}/'.encode())
        )

    ROUTES = (Route("GET", "/", root, open=True), Route("GET", "/assets/{name}", asset, open=True))


async def _file_response(
    request: web.Request, file: Path, headers: Mapping[str, str], replaced: tuple[bytes, bytes] = (b"", b"")
) -> web.Response:
    """A file, something in it replaced, or that the client has it already.

    aiohttp's own leaves the file open where the client goes away while it is opened.
    """
    try:
        body = await asyncio.to_thread(file.read_bytes)
    except OSError:  # it was built again at this moment
        raise web.HTTPNotFound from None
    if any(replaced):
        body = body.replace(*replaced)
    tag = hashlib.sha256(body).hexdigest()
    known = {each.value for each in request.if_none_match or ()}
    if known & {tag, "*"}:
        return web.Response(status=304, headers={**headers, "ETag": f'"{tag}"'})
    return web.Response(body=body, headers={**headers, "ETag": f'"{tag}"'})
