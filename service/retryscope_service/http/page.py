"""The frame of every page: one style, no script, nothing from elsewhere."""

import base64
import hashlib
from html import escape
from typing import Final

from aiohttp import web

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem;
  color: CanvasText; background: Canvas; color-scheme: light dark; }
h2 { margin-top: 2.5rem; font: 600 1.1rem ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid GrayText; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid GrayText; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


def render_page(title: str, body: str) -> str:
    """A page; ``body`` is HTML, ``title`` is not."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def page_response(page: str) -> web.Response:
    """The page as an answer that allows its own style sheet and nothing else."""
    return web.Response(text=page, content_type="text/html", headers=_HEADERS)
