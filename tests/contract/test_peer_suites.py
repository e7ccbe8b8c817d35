"""What `make peer-suites` takes for good: nothing may go unnoticed. It itself needs the network."""

import asyncio
import hashlib
import io
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from retryscope import RetryPolicy, retry
from scripts.peer_suites import sdists
from scripts.peer_suites.__main__ import results
from scripts.peer_suites.block import Block
from scripts.peer_suites.inside import PEER
from scripts.peer_suites.result import Result
from scripts.peer_suites.suite import leave_out_files, run

SUITE = """
import pytest

def test_good(): pass
def test_bad(): assert 1 == 2
@pytest.mark.skip(reason="their program is missing: what is skipped has not passed")
def test_skipped(): pass
@pytest.mark.parametrize("number", [1, 2, 3])
def test_numbers(number): assert number == 1
class TestOthers:
    def test_theirs(self): assert False
"""


def suite(folder: Path, **not_ours: str) -> Result:
    """Run that file, without what is left out."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_them.py").write_text(SUITE)
    names = {name.replace("__", "::", 1): reason for name, reason in not_ours.items()}
    names["test_numbers[2]"] = "two"
    (result,) = results([partial(run, "them", folder, ["test_them.py"], not_ours=names)])
    return result


def test_a_test_passes_or_fails_or_is_listed(tmp_path: Path) -> None:
    """What is skipped was not run: it has failed, unless it is listed."""
    result = suite(tmp_path, TestOthers__test_theirs="theirs")
    assert result.passed == 2
    assert [report.split()[0].partition("::")[2] for report in result.failed] == [
        "test_bad",
        "test_skipped",
        "test_numbers[3]",
    ]
    assert result.left_out == {"TestOthers::test_theirs": "theirs", "test_numbers[2]": "two"}
    assert not result.good


def test_a_listed_name_that_is_gone_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where all else is good: the list would rot."""
    listed = {"test_bad": "bad", "test_skipped": "skipped", "TestOthers__test_theirs": "theirs"}
    result = suite(tmp_path, **listed, test_numbers="all of them", test_gone="gone")
    assert (result.passed, result.failed, result.stale) == (1, [], ["test_gone"])
    assert not result.good
    result.show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "them: 1 passed, 0 failed, 6 do not apply"
    assert "  listed as not applying, but there is no such test: test_gone" in lines


def test_a_suite_that_runs_nothing_is_not_good(tmp_path: Path) -> None:
    """It has moved, or cannot be imported."""
    (result,) = results([partial(run, "none", tmp_path, ["test_none.py"], not_ours={})])
    assert result.failed
    assert not Result("empty").good


def test_each_test_of_a_coroutine_in_other_files_is_listed(tmp_path: Path) -> None:
    """Files that are not run, which need not be importable for it."""
    (tmp_path / "tests").mkdir()
    code = "import nothing\nclass TestIt:\n    async def test_one(self): ...\nasync def test_two(): ...\n"
    (tmp_path / "tests" / "test_more.py").write_text(code)
    result = Result("more")
    leave_out_files(
        result, tmp_path, ["test_run.py"], {"test_more.py::TestIt::test_one": "why", "gone": "why"}
    )
    assert result.left_out == {"test_more.py::TestIt::test_one": "why"}
    assert result.stale == ["gone"]
    assert [report.split()[0] for report in result.failed] == ["test_more.py::test_two"]


@pytest.fixture
def sdist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An archive as an index may have it, and a lock that pins it by this hash, or by its own."""

    def publish(digest: str = "") -> None:
        archive = tmp_path / "peer-1.0.tar.gz"
        with tarfile.open(archive, "w:gz") as members:
            for name in ("peer-1.0/tests/unit/test_it.py", "peer-1.0/peer.py", "peer-1.0/tests/../../out.py"):
                member = tarfile.TarInfo(name)
                member.size = 1
                members.addfile(member, io.BytesIO(b"#"))
        lock = tmp_path / "lock.txt"
        own = hashlib.sha256(archive.read_bytes()).hexdigest()
        lock.write_text(f"peer==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{digest or own}\n")
        monkeypatch.setattr(sdists, "LOCK", lock)
        monkeypatch.setattr(sdists, "_url", lambda name, version: archive.as_uri())

    return publish


def test_what_is_fetched_is_what_the_lock_pins(tmp_path: Path, sdist: Callable[[str], None]) -> None:
    """Its tests alone are unpacked, and nothing beside them."""
    sdist("")
    assert sdists.fetch_tests("peer", tmp_path / "into") == "1.0"
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"into/tests/unit/test_it.py", "peer-1.0.tar.gz", "lock.txt"}
    with pytest.raises(sdists.FetchError, match="has no another"):
        sdists.fetch_tests("another", tmp_path / "into")


def test_another_archive_is_refused(tmp_path: Path, sdist: Callable[[str], None]) -> None:
    """Before anything of it is unpacked."""
    sdist("1" * 64)
    with pytest.raises(sdists.FetchError, match="is not what"):
        sdists.fetch_tests("peer", tmp_path / "into")
    assert not (tmp_path / "into").exists()


async def test_a_block_is_one_call_of_the_library() -> None:
    """What its body raises is the attempt's error; `return` leaves a call that has ended."""

    async def block(*errors: Exception) -> int:
        async for attempt in Block(retry(PEER, RetryPolicy(base_delay=0, retry_on=(OSError,)))):
            with attempt:
                if attempt.num <= len(errors):
                    raise errors[attempt.num - 1]
                return attempt.num
        raise AssertionError("unreachable")

    assert await block(OSError(), OSError()) == 3
    with pytest.raises(ValueError, match="its own"):
        await block(OSError(), ValueError("its own"))


async def test_a_cancel_passes_through_a_block() -> None:
    """In the body, and in a wait."""

    async def block(*, waits: bool, began: asyncio.Event) -> None:
        async for attempt in Block(retry(PEER, RetryPolicy(base_delay=3600, jitter="none"))):
            with attempt:
                began.set()
                if waits:
                    raise OSError
                await asyncio.Event().wait()

    for waits in (False, True):
        began = asyncio.Event()
        task = asyncio.create_task(block(waits=waits, began=began))
        await began.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
