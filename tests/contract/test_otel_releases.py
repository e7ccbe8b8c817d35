"""What `make otel-releases` takes for good: nothing may go unnoticed. It itself needs the network."""

from pathlib import Path

import pytest

from scripts import otel_releases
from scripts.otel_releases import (
    NEEDED,
    TESTS,
    Outcome,
    UnavailableError,
    declared,
    oldest,
    outcome,
    pinned,
    run,
    wanted,
)
from tests.conftest import ROOT

REPORT = '<testsuites><testsuite tests="9" failures="{}" errors="{}" skipped="{}"/></testsuites>'


@pytest.mark.parametrize(
    ("failures", "errors", "skipped", "good"),
    [(0, 0, 0, True), (1, 0, 0, False), (0, 1, 0, False), (0, 0, 1, False)],
)
def test_good_is_where_every_test_passes(failures: int, errors: int, skipped: int, good: bool) -> None:
    """What was skipped was not run."""
    found = outcome("1.39.0", REPORT.format(failures, errors, skipped), "")
    assert (found.passed, found.failed) == (9 - failures - errors - skipped, failures + errors)
    assert found.good is good
    assert not Outcome("1.39.0", 0, 0, 0).good


def test_a_run_that_leaves_no_report_has_failed(tmp_path: Path) -> None:
    """It has not even begun."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such module\n")
    python.chmod(0o755)
    assert run("1.39.0", python, tmp_path) == Outcome("1.39.0", 0, 1, 0, "no such module\n")


def test_it_begins_with_the_oldest_release_that_is_allowed() -> None:
    """All parts of OpenTelemetry have the same bound, or another one would be taken beside it."""
    bounds = {each.partition(">=")[2] for each in declared() if each.startswith("opentelemetry-")}
    assert bounds == {oldest(declared())}
    assert oldest(["prometheus-client>=0.22", "opentelemetry-sdk>=1.39"]) == "1.39"
    assert wanted("1.39", "1.41.2") == ["1.39.0", "1.39.*", "1.40.*", "1.41.*"]
    assert wanted("1.39.1", "1.40.0") == ["1.39.1", "1.39.*", "1.40.*"]


def test_the_release_is_the_one_that_was_resolved() -> None:
    """Not the one of another part, whose name begins like it."""
    assert pinned("opentelemetry-sdk-extension==2.0\nopentelemetry-sdk==1.45.1 \\\n") == "1.45.1"
    with pytest.raises(UnavailableError, match="resolved no opentelemetry-sdk"):
        pinned("opentelemetry-api==1.45.1\n")


def test_another_major_release_wants_a_decision() -> None:
    """Not a table that silently ends before it."""
    with pytest.raises(UnavailableError, match=r"2\.0\.0 is another major release"):
        wanted("1.39", "2.0.0")


def test_what_it_runs_exists() -> None:
    """Else there would be no test in it."""
    assert all((ROOT / path).exists() for path in TESTS)


def test_our_adapter_meets_the_instrumentation_that_it_stands_back_for() -> None:
    """The lock of development has none of aiohttp's clients; here it is, in each release."""
    assert any(each.startswith("opentelemetry-instrumentation-aiohttp-client") for each in NEEDED)
    assert any("our adapter" in (ROOT / path).read_text() for path in TESTS if path.endswith(".py"))


def test_one_that_fails_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the table of all, with what its tests said."""
    found = [Outcome("1.39.0", 8, 1, 0, "it said"), Outcome("1.45.2", 9, 0, 0, "nothing")]
    monkeypatch.setattr(otel_releases, "outcomes", lambda: iter(found))
    assert otel_releases.main() == 1
    printed = capsys.readouterr()
    assert [line.split() for line in printed.out.splitlines()] == [
        ["release", "passed", "failed", "skipped"],
        ["1.39.0", "8", "1", "0"],
        ["1.45.2", "9", "0", "0"],
    ]
    assert printed.err == "it said\n"


def test_a_release_that_cannot_be_had_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither good nor bad."""

    def outcomes() -> None:
        raise UnavailableError("uv pip compile failed: no network")

    monkeypatch.setattr(otel_releases, "outcomes", outcomes)
    assert otel_releases.main() == 2
    assert capsys.readouterr().err == "error: uv pip compile failed: no network\n"
