"""The secrets of the compose stack: made when it first starts, kept, and read by those who need them only."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from retryscope_service.settings import Settings
from tests.conftest import ROOT
from tests.integration.conftest import running_service
from tests.support.compose import read_compose
from tests.support.otlp_receiver import reserved_port
from tests.support.polling import LIMIT, wait_until

GENERATE = ROOT / "deploy" / "secrets" / "generate.py"
FILES = {
    "retryscope_api_token": 0o444,
    "retryscope_engine_password": 0o440,
    "retryscope_database_password": 0o440,
    "redis.conf": 0o440,
}


def generate(folder: Path) -> dict[str, str]:
    """Run what the service `secrets` runs; what the folder then holds."""
    subprocess.run([sys.executable, GENERATE, folder], check=True, timeout=LIMIT)
    return {each.name: each.read_text() for each in folder.iterdir()}


def test_no_secret_is_in_the_repository(files: list[Path]) -> None:
    """A committed one is known to everybody."""
    assert [path.name for path in files if path.parent == GENERATE.parent] == [GENERATE.name]


def test_each_installation_has_its_own(tmp_path: Path) -> None:
    """And the service takes them."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    found, others = generate(one), generate(other)
    assert found.keys() == FILES.keys()
    assert all(found[name] != others[name] for name in FILES)
    settings = Settings(
        api_token=found["retryscope_api_token"],
        engine_password=found["retryscope_engine_password"],
        database_password=found["retryscope_database_password"],
    )
    assert len(settings.token or "") > 40
    assert found["redis.conf"] == f"requirepass {found['retryscope_engine_password']}\n"


def test_a_second_start_keeps_them(tmp_path: Path) -> None:
    """Also one that the reader has put there, and after a start that was interrupted."""
    first = generate(tmp_path)
    assert generate(tmp_path) == first
    (tmp_path / "redis.conf").unlink()
    (tmp_path / ".retryscope_api_token").write_text("half")
    assert generate(tmp_path) == {**first, ".retryscope_api_token": "half"}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_token_is_for_everybody_in_the_volume(tmp_path: Path, mask: int) -> None:
    """Passwords are for the owner, who is the service, and its group, which Redis and the database have."""
    previous = os.umask(mask)
    try:
        generate(tmp_path)
    finally:
        os.umask(previous)
    assert {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES} == FILES
    services = read_compose(ROOT / "docker-compose.yml")["services"]
    uid, gid = services["secrets"]["user"].split(":")
    assert services["redis"]["user"].endswith(f":{gid}")
    assert services["database"]["user"].endswith(f":{gid}")
    for name in ("retryscope", "worker", "upstream", "load"):
        assert services[name]["user"] == f"{uid}:{gid}"
    for name in ("prometheus", "alertmanager"):
        assert gid not in services[name]["user"].split(":")
        assert "group_add" not in services[name]


def test_a_new_volume_belongs_to_who_writes_into_it() -> None:
    """Docker gives it the owner of the image's folder."""
    user = read_compose(ROOT / "docker-compose.yml")["services"]["secrets"]["user"]
    assert f"mkdir -p /run/secrets && chown {user} /run/secrets" in (ROOT / "Dockerfile").read_text()


@contextmanager
def composed_redis(program: Path, folder: Path) -> Iterator[int]:
    """Redis as the compose file starts it, with its data and its secrets in the folder, on a free port."""
    command = read_compose(ROOT / "docker-compose.yml")["services"]["redis"]["command"]
    arguments = [
        str(folder) if word == "/data" else word.replace("/run/secrets", str(folder)) for word in command
    ]
    with reserved_port() as port:
        pass
    process = subprocess.Popen(
        [program, *arguments[1:], "--port", str(port), "--bind", "127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(LIMIT)


def test_redis_asks_for_the_password_and_the_service_has_it(
    system_tool: Callable[[str], Path], tmp_path: Path
) -> None:
    """The compose file's own command and health check, on a real Redis; a run goes through it."""
    secrets = generate(tmp_path)
    test = read_compose(ROOT / "docker-compose.yml")["services"]["redis"]["healthcheck"]["test"]
    redis_cli = system_tool("redis-cli")
    with composed_redis(system_tool("redis-server"), tmp_path) as port:
        check = (
            test[3]
            .replace("$$", "$")
            .replace("/run/secrets", str(tmp_path))
            .replace("redis-cli", f"{redis_cli} -p {port}")
        )

        def ask(command: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=LIMIT
            )

        wait_until(lambda: ask(check).returncode == 0, "the health check is content")
        assert re.search("NOAUTH", ask(f"{redis_cli} -p {port} -e get x").stderr)
        variables = {
            "RETRYSCOPE_ENGINE_URL": f"redis://127.0.0.1:{port}/0",
            "RETRYSCOPE_ENGINE_PASSWORD": secrets["retryscope_engine_password"],
        }
        with running_service(tmp_path / "service", **variables) as service:
            submitted = service.call(
                "POST", "/workflows/sequential/runs", {"tasks": 1, "duration": 0}
            ).answer()
            assert submitted.status == 202
            wait_until(
                lambda: service.get(submitted.headers["Location"]).body["state"] == "succeeded",
                "the run ends",
            )
            assert secrets["retryscope_engine_password"] not in service.output
