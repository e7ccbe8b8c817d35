"""The shop as the workflow sees it: calls over HTTP that fail, and may be sent again."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from retryscope_service.operations.shop.books import Refund


class ShopError(Exception):
    """The shop answered, and did not do it.

    Attributes:
        status: Its HTTP status.
        retry_after: Seconds that it asks to wait, if it does.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None) -> None:
        super().__init__(f"the shop answered {status}: {detail}")
        self.status = status
        self.retry_after = retry_after


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed later: all are idempotent, also those whose answer was lost.

    >>> is_transient(ShopError(409, "sold out", None)), is_transient(ShopError(503, "busy", 1.0))
    (False, True)
    """
    if isinstance(error, ShopError):
        return (
            error.status == HTTPStatus.TOO_MANY_REQUESTS or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
    return isinstance(error, (ClientError, asyncio.TimeoutError, ConnectionError))


class ShopClient:
    """Calls of the shop.

    Args:
        session: Shared by all calls of the process.
        url: Base URL of the upstream.
        seconds: How long each call takes there, beside its faults.
    """

    def __init__(self, session: ClientSession, url: str, seconds: float = 0.0) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._seconds = seconds

    def taking(self, seconds: float) -> "ShopClient":
        """The same, with calls that take so long."""
        return ShopClient(self._session, self._url, seconds)

    async def price(self, sku: str) -> int:
        """The price of a SKU, in cents."""
        price: int = (await self._call("GET", f"/prices/{sku}"))["price"]
        return price

    async def hold(self, order: str, sku: str, quantity: int) -> None:
        """Put units aside."""
        await self._call("PUT", f"/holds/{order}", {"sku": sku, "quantity": quantity})

    async def release(self, order: str) -> None:
        """Put them back."""
        await self._call("DELETE", f"/holds/{order}")

    async def charge(self, order: str, amount: int) -> None:
        """Take the money."""
        await self._call("PUT", f"/payments/{order}", {"amount": amount})

    async def refund(self, order: str) -> Refund:
        """Give it back; what was charged, and what is back."""
        return Refund(**await self._call("PUT", f"/refunds/{order}", {}))

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        async with self._session.request(
            method,
            self._url + path,
            json=body,
            params={"seconds": f"{self._seconds:.6f}"},
            timeout=ClientTimeout(total=None),  # each attempt has its own
            allow_redirects=False,
        ) as response:
            answer = await response.read()
            if response.status == HTTPStatus.OK:
                return json.loads(answer)
            after = response.headers.get("Retry-After", "")
            raise ShopError(response.status, _detail(answer), float(after) if after.isdigit() else None)


def _detail(problem: bytes) -> str:
    """What a problem document says; what stands between may answer with something else."""
    try:
        return str(json.loads(problem)["detail"])
    except (ValueError, LookupError, TypeError):
        return "no problem document"
