"""The path below which a reverse proxy shows the service: ``/retryscope``, or nothing.

Whatever leads back here (``Location``, links, a problem's ``instance``) begins with it. A proxy may take it
off a request's path or leave it there: both are routed.
"""

from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web
from yarl import URL

ROOT_PATH: Final = web.RequestKey("root_path", str)
"""Where the outermost middleware leaves the path of this request's proxy."""


def root_path(request: web.BaseRequest) -> str:
    """The path, without a slash at its end: empty where there is no proxy."""
    path: str = request.get(ROOT_PATH, "")
    return path


def public_path(request: web.BaseRequest) -> str:
    """The path that the client asked for, as it stands in the address."""
    root, path = root_path(request), request.rel_url.raw_path
    return path if _is_below(path, root) else root + path


def public_url(request: web.Request) -> str:
    """Where the client sees the service, without a slash at its end."""
    return f"{request.scheme}://{request.host}{root_path(request)}"


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


class RootPathResource(web.AbstractResource):
    """Routes what has the root path before it as if it had not.

    Args:
        path: The root path.
        router: Of the application that this is a resource of.
    """

    def __init__(self, path: str, router: web.UrlDispatcher) -> None:
        super().__init__()
        self._path = path
        self._router = router

    @property
    def canonical(self) -> str:
        """The path, by which the router finds this."""
        return self._path

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """What the rest of the path leads to."""
        path = request.rel_url.raw_path
        rest = path.removeprefix(self._path) or "/"
        if not _is_below(path, self._path) or _is_below(rest, self._path):
            return None, set()
        url = request.rel_url.with_path(rest, encoded=True, keep_query=True)
        match = await self._router.resolve(request.clone(rel_url=url))
        if match.http_exception is None:
            return match, set()
        return None, getattr(match.http_exception, "allowed_methods", set())

    def url_for(self, **kwargs: str) -> URL:
        """The root path."""
        return URL(self._path)

    def raw_match(self, path: str) -> bool:
        """Whether this is the resource of that path."""
        return path == self._path

    def add_prefix(self, prefix: str) -> None:
        """Not for a part of another application."""
        raise RuntimeError(f"the root path {self._path} is of the whole application, not of a part of it")

    def get_info(self) -> Any:
        """What it is, for who looks at the router."""
        return {"path": self._path}

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        return iter(())
