"""Where the operations of a process find an upstream: one that is part of it, or one elsewhere."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from retryscope_service.http.listener import listening
from retryscope_service.operations.shop.books import Books
from retryscope_service.settings import Settings
from retryscope_service.upstream.app import create_upstream_app
from retryscope_service.upstream.faults import Faults, read_faults
from retryscope_service.upstream.shop import ShopRoutes
from retryscope_service.upstream.upstream import Upstream


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """Where an upstream is.

    Attributes:
        url: Its base URL.
        drawn_token: The token of its ``/faults``, where it was drawn at the start and nobody knows it yet.
    """

    url: str
    drawn_token: str | None = None


def token_or_drawn(settings: Settings) -> tuple[str, str | None]:
    """The token of ``/faults``; and again where it had to be drawn."""
    if (token := settings.faults_token) is not None:
        return token, None
    drawn = secrets.token_urlsafe(24)
    return drawn, drawn


@asynccontextmanager
async def upstream_of(
    settings: Settings, registry: CollectorRegistry, books: Books | None = None
) -> AsyncIterator[UpstreamAddress]:
    """The upstream of ``RETRYSCOPE_UPSTREAM_URL``; without one, one on a loopback port during the block.

    Args:
        settings: Where it is or listens, and its faults.
        registry: Where the metrics of one here are registered.
        books: What the shop of one here reads and writes; None: it has none.

    Raises:
        AddressInUseError: Its port is taken.
        ValueError: ``RETRYSCOPE_UPSTREAM_FAULTS`` are not valid.
    """
    if settings.upstream_url is not None:
        yield UpstreamAddress(settings.upstream_url.rstrip("/"))
        return
    token, drawn = token_or_drawn(settings)
    upstream = Upstream(initial_faults(settings))
    shop = [] if books is None else ShopRoutes(upstream, books).routes()
    app = create_upstream_app(upstream, token, registry, further=shop)
    port, most = settings.upstream_port, settings.max_connections
    async with listening(app, "127.0.0.1", port, most, counted=False) as url:
        yield UpstreamAddress(url, drawn)


def initial_faults(settings: Settings) -> Faults:
    """What an upstream is to do to requests at first.

    Raises:
        ValueError: They are not valid; the message names setting, field, value and bound.
    """
    try:
        return read_faults(settings.upstream_faults)
    except ValueError as error:
        raise ValueError(f"upstream_faults (RETRYSCOPE_UPSTREAM_FAULTS, --faults): {error}") from None
