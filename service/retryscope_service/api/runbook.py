"""``/docs/runbook``: what to do about an alert, as a page that an alert links to."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from html import escape
from itertools import pairwise

from aiohttp import web
from markdown_it import MarkdownIt
from markdown_it.token import Token

from retryscope_service.api.openapi_parts import get
from retryscope_service.api.route import Resource, Route
from retryscope_service.http.page import page_response, render_page
from retryscope_service.resources import resource

_NO_PART_OF_A_SLUG = re.compile(r"[^\w\- ]")


def render_runbook(text: str) -> str:
    """The page for a text in Markdown: its headings have ids as on GitHub, those of level 2 are listed."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    entries = "".join(
        f'<li><a href="#{escape(str(heading.attrs["id"]))}">{escape(words)}</a></li>'
        for heading, words in _with_ids(tokens)
        if heading.tag == "h2"
    )
    contents = f"<nav><ul>{entries}</ul></nav>" if entries else ""
    body = markdown.renderer.render(tokens, markdown.options, {})
    return render_page("Retryscope runbook", f'<p><a href="../docs">API</a></p>{contents}{body}')


def _with_ids(tokens: Sequence[Token]) -> list[tuple[Token, str]]:
    """Give each heading its id; the headings and their words."""
    seen: Counter[str] = Counter()
    found = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(each.content for each in inline.children or ())
            slug = _NO_PART_OF_A_SLUG.sub("", words.lower()).replace(" ", "-")
            opening.attrSet("id", f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
            found.append((opening, words))
    return found


@cache
def _runbook() -> str:
    return render_runbook(resource("docs/runbook.md").read_text(encoding="utf-8"))


class RunbookRoutes(Resource):
    """The route ``/docs/runbook``."""

    def __init__(self) -> None:
        self._page = _runbook()

    async def runbook(self, request: web.Request) -> web.Response:
        """The page."""
        return page_response(self._page)

    ROUTES = (
        Route(
            "GET",
            "/docs/runbook",
            runbook,
            get("getRunbook", "What to do about an alert, as a page.", media_types=("text/html",)),
            open=True,
        ),
    )
