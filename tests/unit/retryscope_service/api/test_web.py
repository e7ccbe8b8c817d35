"""The page: where it is served, how it is cached, what it may load, and that nothing else is given away."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from retryscope_service.api.web import DIST, HEADERS, WebRoutes
from retryscope_service.console.console import Console
from tests.conftest import ROOT
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.helpers import Answer, Api, serving

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
INDEX = "<!doctype html><title>é</title>"
ADDRESSES = ("/", "/runs", "/runs/some-id", "/metrics", "/alerts")
TOKEN = "a-token-of-tests-1"  # noqa: S105

REAL_LOOP = True
"""Files are read on threads."""


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built page, and something beside it that is nobody's business."""
    assets = tmp_path / "dist" / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "index.html").write_text(INDEX)
    (assets.parent / ".built-from").write_text("hush")
    (tmp_path / "secret.js").write_text("hush")
    for name in (
        "index-C01Hnw9K.js",
        "index-a_-4567B.css",
        "plain.js",
        "page-C01Hnw9K.woff2",
        "x-C01Hnw9K.odd",
    ):
        (assets / name).write_text(f"/* {name} */")
    (assets / ".hidden.js").write_text("hush")
    (assets / "folder").mkdir()
    (assets / "folder" / "inner.js").write_text("hush")
    return assets.parent


@pytest.fixture
async def api(recorded: Recorded, console: Console, dist: Path) -> AsyncIterator[Api]:
    """The service with a page."""
    async with serving(recorded, console, dist=dist) as api:
        yield api


@pytest.fixture
async def bare(recorded: Recorded, console: Console) -> AsyncIterator[Api]:
    """The service without one."""
    async with serving(recorded, console) as api:
        yield api


async def look(api: Api, path: str, method: str = "GET", accept: str = BROWSER) -> Answer:
    """What a client gets that asks for ``accept``; redirects and compression are left alone."""
    headers = {"Accept": accept}
    async with api.client.request(method, path, headers=headers, allow_redirects=False) as response:
        return Answer(response.status, response.headers, await response.read())


class TestPage:
    @pytest.mark.parametrize("path", ADDRESSES)
    async def test_a_browser_gets_the_page_at_each_of_its_addresses(self, api: Api, path: str) -> None:
        """Whether such a run exists or not: the page finds out."""
        answer = await look(api, path)
        assert (answer.status, answer.text) == (200, INDEX)
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == "Accept"
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        head = await look(api, path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(INDEX.encode()))

    @pytest.mark.parametrize(
        ("path", "content_type", "vary"),
        [
            ("/metrics", "text/plain", "Accept, Accept-Encoding"),
            ("/alerts", "application/json", "Accept"),
            ("/runs?state=nonsense", "application/problem+json", "Accept"),
        ],
    )
    @pytest.mark.parametrize("accept", ["*/*", "application/json"])
    async def test_a_program_gets_the_api(
        self, api: Api, path: str, content_type: str, vary: str, accept: str
    ) -> None:
        """A cache must not mix up the two, and that goes for errors too."""
        answer = await look(api, path, accept=accept)
        assert answer.content_type == content_type
        assert answer.headers["Vary"] == vary

    async def test_the_root_is_the_page_for_everybody(self, api: Api) -> None:
        """There is no API."""
        assert (await look(api, "/", accept="*/*")).text == INDEX

    @pytest.mark.parametrize("path", ["/docs", "/traces", "/workflows", "/runs/a/events", "/health/live"])
    async def test_other_addresses_are_not_the_pages(self, api: Api, path: str) -> None:
        """Also for a browser."""
        answer = await look(api, path)
        assert answer.text != INDEX
        assert "Vary" not in answer.headers

    async def test_only_reading_leads_to_the_page(self, api: Api) -> None:
        """Alertmanager posts to one of the addresses."""
        assert (await look(api, "/alerts", "POST")).status in {400, 415, 422}
        assert (await look(api, "/", "POST")).status == 405

    async def test_its_policy_leaves_no_room_for_scripts_from_elsewhere(self, api: Api) -> None:
        """Nor for inline ones, frames, forms, or a base that bends addresses."""
        policy = (await look(api, "/")).headers["Content-Security-Policy"]
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert directives == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "connect-src": "'self'",
            "img-src": "'self' data:",
            "font-src": "'self'",
            "worker-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }

    async def test_an_unchanged_page_is_not_sent_again(self, api: Api) -> None:
        """``no-cache`` means asking, not loading."""
        first = await look(api, "/")
        headers = {"If-None-Match": first.headers["ETag"], "Accept": BROWSER}
        async with api.client.get("/", headers=headers) as response:
            assert (response.status, await response.read()) == (304, b"")


class TestAssets:
    @pytest.mark.parametrize(
        ("name", "content_type", "cached"),
        [
            ("index-C01Hnw9K.js", "text/javascript; charset=utf-8", True),
            ("index-a_-4567B.css", "text/css; charset=utf-8", True),
            ("page-C01Hnw9K.woff2", "font/woff2", True),
            ("x-C01Hnw9K.odd", "application/octet-stream", True),
            ("plain.js", "text/javascript; charset=utf-8", False),
        ],
    )
    async def test_they_have_their_type_and_are_cached_by_their_hash(
        self, api: Api, name: str, content_type: str, cached: bool
    ) -> None:
        """A worker's script brings the policy that the worker has to obey."""
        for method in ("GET", "HEAD"):
            answer = await look(api, f"/assets/{name}", method, "*/*")
            assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
            caching = "public, max-age=31536000, immutable" if cached else "no-cache"
            assert answer.headers["Cache-Control"] == caching
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert answer.text == (f"/* {name} */" if method == "GET" else "")

    @pytest.mark.parametrize(
        "path",
        [
            "/assets/none.js",
            "/assets/",
            "/assets/folder",
            "/assets/folder/inner.js",
            "/assets/folder%2Finner.js",
            "/assets/.hidden.js",
            "/assets/../index.html",
            "/assets/..%2Findex.html",
            "/assets/%2e%2e%2f.built-from",
            "/assets/..%2F..%2Fsecret.js",
            "/assets/..%5C..%5Csecret.js",
            "/assets/....%2F%2Fsecret.js",
            "/assets/%00",
            "/assets/index-C01Hnw9K.js%00",
            "/assets/index-C01Hnw9K.js%0A",
            "/assets/index-C01Hnw9K.js/",
            "/assets//etc/passwd",
            "/assets/%2Fetc%2Fpasswd",
            "/assets/~root",
            "/assets/ïndex.js",
            "/.built-from",
            "/index.html",
        ],
    )
    async def test_nothing_else_is_served(self, api: Api, path: str) -> None:
        """Asked for as it is: a client would tidy up the path."""
        answer = await api.raw(f"GET {path} HTTP/1.1")
        assert answer.status in {400, 404}
        assert b"hush" not in answer.body

    async def test_a_page_that_was_built_again_is_served_at_once(self, api: Api, dist: Path) -> None:
        """Its files have other names."""
        (dist / "assets" / "index-00000000.js").write_text("new")
        (dist / "index.html").write_text("new index")
        os.utime(dist / "index.html", (1, 1))
        assert (await look(api, "/")).text == "new index"
        assert (await look(api, "/assets/index-00000000.js")).text == "new"

    async def test_who_goes_away_leaves_no_file_open(self, dist: Path) -> None:
        """A warning about one would fail this test."""
        request = make_mocked_request("GET", "/assets/plain.js", match_info={"name": "plain.js"})

        async def answer() -> None:
            response = await WebRoutes(dist).asset(request)
            await response.prepare(request)

        for steps in range(4):
            task = asyncio.create_task(answer())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(gc.collect)


class TestWithoutPage:
    @pytest.mark.parametrize("accept", [BROWSER, "*/*"])
    async def test_the_root_says_so_and_how_to_get_it(self, bare: Api, accept: str) -> None:
        """And leads to what there is."""
        answer = await look(bare, "/", accept=accept)
        assert (answer.status, answer.content_type) == (200, "text/html")
        for text in ("was not built", "RETRYSCOPE_UI", "scripts/build_page.py", 'href="/docs"'):
            assert text in answer.text
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert (await look(bare, "/", "HEAD")).status == 200

    async def test_the_other_addresses_are_the_api(self, bare: Api) -> None:
        """For a browser too."""
        assert (await look(bare, "/metrics")).content_type == "text/plain"
        assert (await look(bare, "/alerts")).json() == {"alerts": []}
        assert (await look(bare, "/assets/index-C01Hnw9K.js")).status == 404


async def test_page_and_assets_need_no_token(recorded: Recorded, console: Console, dist: Path) -> None:
    """The page asks for it when the API does; what it shows is behind it."""
    async with serving(recorded, console, dist=dist, api_token=TOKEN) as api:
        for path in (*ADDRESSES, "/assets/plain.js"):
            assert (await look(api, path)).status == 200
        for path in ("/assets/none.js", "/assets/..%2F..%2Fsecret.js"):
            assert (await look(api, path)).status == 404
        for path in ("/runs", "/metrics", "/alerts", "/runs/some-id"):
            answer = await look(api, path, accept="application/json")
            assert (answer.status, answer.headers["Vary"]) == (401, "Accept")
        for path in ("/assets/", "/assets/a/b", "/console/snapshot", "/workflows", "/traces"):
            assert (await look(api, path)).status == 401


async def test_looking_at_the_page_makes_no_spans(api: Api) -> None:
    """They would push out of /traces what it is for."""
    for path in (*ADDRESSES, "/assets/plain.js", "/assets/none.js"):
        await look(api, path)
    await asyncio.sleep(0)
    assert api.recorded.spans() == []


def test_the_page_is_where_the_build_leaves_it() -> None:
    assert DIST == ROOT / "web" / "dist"
