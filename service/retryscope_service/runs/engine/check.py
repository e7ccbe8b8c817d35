"""Whether a Redis can be used as the engine: it is used once in every way, with what the URL says."""

import asyncio
import re
import ssl
import uuid
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from docket._redis import RedisConnection
from redis import exceptions

CHECK_SECONDS: Final = 10.0
BLOCK_MS: Final = 300
"""How long a check of blocking reads blocks; workers do it again and again, a little shorter."""
AT_ONCE: Final = 10
"""Connections that a process needs even if it runs nothing."""
SETTING: Final = "RETRYSCOPE_ENGINE_URL"

_LEAST: Final = {"socket_timeout": 1.0, "socket_connect_timeout": 0.1}
"""Seconds; below, reads that wait for work are given up before there can be any."""

_AWAY: Final = (exceptions.ConnectionError, exceptions.TimeoutError, ConnectionError, TimeoutError)
_REFUSED: Final = (
    exceptions.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.MaxConnectionsError,
)
_LATER: Final = (exceptions.OutOfMemoryError, exceptions.ReadOnlyError)
_UNPARSED: Final = (
    "it can't be parsed: user and password must be percent-encoded, the port a number, IPv6 in brackets"
)
_EVICTING: Final = (
    "Redis may remove what it was given when it is full (maxmemory-policy {policy}): accepted runs can"
    " vanish. Set maxmemory-policy to noeviction"
)


class EngineRefusedError(ValueError):
    """The engine's URL can't work, whatever is waited for."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{SETTING}: {why}")


async def check(url: str) -> list[str]:
    """Use the Redis at a URL as the engine does.

    Returns:
        What is wrong with it though it works.

    Raises:
        EngineRefusedError: It can't work like this.
        EngineError: It can't be reached, is full, or takes no writes; perhaps later.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is never closed
        raise EngineRefusedError(_UNPARSED) from None
    if parts.scheme in ("redis", "rediss") and not re.fullmatch(r"/?[0-9]*", parts.path):
        raise EngineRefusedError(f"the database must be a number, as in {parts.scheme}://HOST:PORT/0")
    options = dict(parse_qsl(parts.query))
    for name, least in _LEAST.items():
        if re.fullmatch(r"[0-9]*\.?[0-9]+", options.get(name, "")) and float(options[name]) < least:
            raise EngineRefusedError(f"{name} must be at least {least:g} s, not {options[name]}")
    if options.get("protocol", "2") != "2":
        raise EngineRefusedError("answers must have the form of RESP2: remove protocol from it")
    try:
        async with (
            asyncio.timeout(CHECK_SECONDS),
            RedisConnection(url) as connection,
            connection.client() as client,
        ):
            redis: Any = client
            await redis.ping()
            key = connection.prefix("retryscope") + f":check:{uuid.uuid4()}"
            try:
                await _use(connection, redis, key)
            finally:
                await redis.delete(key, f"{key}:stream")
            return await _warnings(redis)
    except (EngineRefusedError, *_LATER):
        raise
    except _REFUSED as error:
        raise EngineRefusedError(_said(error, url)) from None
    except _AWAY as error:
        if any(isinstance(each, ssl.SSLError) for each in _causes(error)):
            raise EngineRefusedError(_said(error, url)) from None
        raise exceptions.ConnectionError(_said(error, url)) from None
    except Exception as error:  # whatever an option can break
        raise EngineRefusedError(_said(error, url)) from None


async def _use(connection: RedisConnection, redis: Any, key: str) -> None:
    await redis.set(key, "1", ex=60)
    if await redis.get(key) != b"1":
        raise EngineRefusedError("answers must stay bytes: remove decode_responses from it")
    await redis.register_script("redis.call('TIME') return redis.call('GET', KEYS[1])")(keys=[key], args=[])
    stream = f"{key}:stream"
    await redis.xgroup_create(stream, "check", "0", mkstream=True)
    await redis.expire(stream, 60)
    await redis.xadd(stream, {b"check": b"1"})
    await redis.xreadgroup("check", "one", {stream: ">"}, count=1)
    await redis.xautoclaim(stream, "check", "two", 0, "0-0", count=1)
    async with connection.pubsub() as pubsub:
        await pubsub.psubscribe(connection.prefix("retryscope") + ":cancel:*")
        await pubsub.get_message(timeout=CHECK_SECONDS)
        await connection.publish(connection.prefix("retryscope") + ":cancel:check", "check")
        if await pubsub.get_message(timeout=CHECK_SECONDS) is None:
            raise EngineRefusedError("what is published there does not arrive")
    reads = (redis.xreadgroup("check", "one", {stream: ">"}, block=BLOCK_MS) for _ in range(AT_ONCE))
    await asyncio.gather(*reads)


async def _warnings(redis: Any) -> list[str]:
    try:
        policy = (await redis.info("memory"))["maxmemory_policy"]
    except (exceptions.ResponseError, KeyError, TypeError):  # a managed Redis may forbid it
        return []
    return [] if policy == "noeviction" else [_EVICTING.format(policy=policy)]


def _causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _said(error: BaseException, url: str) -> str:
    """What an error says, without any secret of the URL."""
    authority = urlsplit(url).netloc.rpartition("@")[0]
    secret = authority.partition(":")[2]
    if isinstance(error, TimeoutError):
        return f"there is no answer within {CHECK_SECONDS:g} s; with rediss:// it must speak TLS"
    text = f"{type(error).__name__}: {error}" if not isinstance(error, exceptions.RedisError) else str(error)
    # What can't be parsed may be any part of it, a password with a slash say.
    if isinstance(error, ValueError) and not isinstance(error, exceptions.RedisError):
        return _UNPARSED
    for each in {secret, unquote(secret)} - {""}:
        text = text.replace(each, "***")
    return f"Redis can't be used with it: {text}"
