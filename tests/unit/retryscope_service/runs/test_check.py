"""What is said of a Redis that can't be used, or not well, before anything relies on it."""

import time
from collections.abc import Iterator

import pytest

from retryscope_service.api.runs import engine_errors
from retryscope_service.http.problems import Problem
from retryscope_service.runs.engine import Engine, EngineError, EngineFullError, EngineRefusedError
from retryscope_service.runs.engine.check import check
from retryscope_service.runs.maintenance import check_engine
from retryscope_service.runs.store import RunStore
from tests.support.redis import RedisServer
from tests.unit.retryscope_service.runs.helpers import running, states, submit

REAL_LOOP = True
SECRET = "pass/word"  # noqa: S105
QUOTED = "pass%2Fword"


@pytest.fixture
def server(redis: RedisServer) -> RedisServer:
    """An empty Redis."""
    assert redis.command("FLUSHALL") == "+OK"
    return redis


@pytest.fixture
def locked(redis: RedisServer) -> Iterator[str]:
    """Host and port of a Redis with a password."""
    assert redis.command("CONFIG", "SET", "requirepass", SECRET) == "+OK"
    yield f"127.0.0.1:{redis.port}"
    # The helper sends one command for each connection: a transaction of two needs a client.
    import socket

    with socket.create_connection(("127.0.0.1", redis.port)) as connection:
        connection.sendall(f'AUTH {SECRET}\r\nCONFIG SET requirepass ""\r\n'.encode())
        answer = b""
        while answer.count(b"+OK") < 2:
            answer += connection.recv(100)


@pytest.mark.parametrize("options", ["", "?max_connections=500", "?socket_timeout=5", "?protocol=2"])
async def test_what_works_is_taken(locked: str, options: str) -> None:
    """Nothing is left behind."""
    assert await check(f"redis://:{QUOTED}@{locked}/0{options}") == []


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        ("/99", "DB index is out of range"),
        ("/abc", "the database must be a number"),
        ("/0?db=77", "DB index is out of range"),
        ("/0?decode_responses=true", "decode_responses"),
        ("/0?protocol=3", "protocol"),
        ("/0?protocol=9", "protocol"),
        ("/0?socket_timeout=0.1", "socket_timeout must be at least 1 s, not 0.1"),
        ("/0?socket_connect_timeout=0", "socket_connect_timeout must be at least 0.1 s, not 0"),
        ("/0?max_connections=2", "Too many connections"),
        ("/0?max_connections=many", "it can't be parsed"),
        ("/0?ssl_cert_reqs=none", "ssl_cert_reqs"),
        ("/0?unknown_option=1", "unknown_option"),
        ("/0?encoding=utf-99", "unknown encoding"),
        ("/0?username=nobody", "invalid username-password pair"),
    ],
)
async def test_an_option_that_breaks_it_is_refused(locked: str, tail: str, why: str) -> None:
    """With the setting's name and the reason, and without the password."""
    with pytest.raises(EngineRefusedError, match="RETRYSCOPE_ENGINE_URL") as refused:
        await check(f"redis://:{QUOTED}@{locked}{tail}")
    assert why in str(refused.value)
    assert not any(secret in str(refused.value) for secret in (SECRET, QUOTED))


@pytest.mark.parametrize("user", ["", ":wr0ng@", f":{SECRET}@", f":{QUOTED}x@", "pass:w0rd:0/@"])
async def test_a_wrong_password_is_refused_and_not_repeated(locked: str, user: str) -> None:
    """Whether it can be parsed or not."""
    with pytest.raises(EngineRefusedError) as refused:
        await check(f"redis://{user}{locked}/0")
    for secret in ("wr0ng", "w0rd", SECRET, QUOTED):
        assert secret not in str(refused.value)


@pytest.mark.parametrize("host", ["[bad", "[::1", "::1]", f":{QUOTED}@[bad"])
async def test_a_host_that_is_none_is_refused(host: str) -> None:
    """By the name of the setting."""
    with pytest.raises(EngineRefusedError, match="RETRYSCOPE_ENGINE_URL: it can't be parsed") as refused:
        await check(f"redis://{host}:6379/0")
    assert QUOTED not in str(refused.value)


async def test_a_user_who_may_not_use_what_is_needed_is_refused(server: RedisServer) -> None:
    """Redis says which command it is."""
    rules = ("ACL", "SETUSER", "narrow", "reset", "on", ">word", "~*", "&*", "+@all", "-xautoclaim")
    assert server.command(*rules) == "+OK"
    with pytest.raises(EngineRefusedError, match="xautoclaim"):
        await check(server.url.replace("//", "//narrow:word@"))


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1/0", "redis://nobody.invalid/0", "unix:///nowhere/redis.sock"]
)
async def test_one_that_is_away_is_waited_for(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """It says so, and the service starts."""
    assert not await check_engine(Engine(url, connections=20, redelivery_seconds=1))
    assert "can't be reached" in caplog.text


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "allkeys-random", "volatile-ttl"])
async def test_a_redis_that_evicts_is_warned_of(
    server: RedisServer, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Accepted runs could vanish."""
    assert server.command("CONFIG", "SET", "maxmemory-policy", policy) == "+OK"
    engine = Engine(server.url, connections=20, redelivery_seconds=1)
    try:
        assert await check_engine(engine)
    finally:
        assert server.command("CONFIG", "SET", "maxmemory-policy", "noeviction") == "+OK"
    (warning,) = engine.warnings
    assert policy in warning
    assert warning in caplog.text


async def test_where_that_may_not_be_asked_nothing_wrong_is_said(server: RedisServer) -> None:
    """As at a managed Redis."""
    rules = ("ACL", "SETUSER", "managed", "reset", "on", ">word", "~*", "&*", "+@all", "-info", "-config")
    assert server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") == "+OK"
    try:
        assert server.command(*rules) == "+OK"
        assert await check(server.url.replace("//", "//managed:word@")) == []
    finally:
        assert server.command("CONFIG", "SET", "maxmemory-policy", "noeviction") == "+OK"


class TestFull:
    async def test_nothing_is_half_started_and_what_runs_ends_later(self, server: RedisServer) -> None:
        """Submitting, cancelling, handing back and ending write all or nothing."""
        async with Engine(server.url, connections=20, redelivery_seconds=1) as engine:
            store = RunStore(engine)
            await submit(store, "queued")
            await running(store, "a")
            before = [await store.get(run_id) for run_id in ("queued", "a")]
            assert server.command("CONFIG", "SET", "maxmemory", "1") == "+OK"
            try:
                calls = {
                    "submit": lambda: submit(store, "b", key="key"),
                    "cancel what waits": lambda: store.request_cancel("queued"),
                    "cancel what runs": lambda: store.request_cancel("a"),
                    "hand back": lambda: store.hand_back("a", 1),
                    "finish": lambda: store.finish("a", 1, {"state": "succeeded"}),
                    "start": lambda: store.start("a", "w2", "other call"),
                    "check": engine.check,
                }
                for name, call in calls.items():
                    try:
                        await call()
                    except EngineFullError:
                        continue
                    pytest.fail(f"{name} is done though Redis is full")
            finally:
                assert server.command("CONFIG", "SET", "maxmemory", "0") == "+OK"
            assert [await store.get(run_id) for run_id in ("queued", "a")] == before
            assert await store.get("b") is None
            assert await store.counts() == (2, 1)
            assert (await submit(store, "b", key="key")).verdict == "new"
            assert await store.finish("a", 1, {"state": "succeeded"})
            assert await states(store, "a") == ["queued", "running", "succeeded"]

    async def test_the_client_is_told_that_it_is_full(self) -> None:
        """Not that it can't be reached."""

        async def full(request: object) -> None:
            raise EngineFullError("OOM command not allowed when used memory > 'maxmemory'.")

        with pytest.raises(Problem) as told:
            await engine_errors(full)(None)  # type: ignore[arg-type]
        assert (told.value.status, told.value.kind) == (503, "engine-full")
        assert "maxmemory" in str(told.value)


async def test_a_redis_that_hangs_is_given_up_in_time(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as one that is away."""
    monkeypatch.setattr("retryscope_service.runs.engine.check.CHECK_SECONDS", 0.2)
    assert server.command("CLIENT", "PAUSE", "1000", "ALL") == "+OK"
    before = time.monotonic()
    with pytest.raises(EngineError):
        await check(server.url)
    assert time.monotonic() - before < 30
    assert server.command("CLIENT", "UNPAUSE") in {"+OK", ""}
