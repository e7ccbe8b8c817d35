"""`retryscope drill`: its options, what it prints, its exit status."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import nan

import pytest

from retryscope_service import cli
from retryscope_service.drills import own_service, play, target
from retryscope_service.drills.catalogue import DRILLS
from retryscope_service.drills.drill import Claim, Drill, Verdict
from retryscope_service.drills.play import Result
from retryscope_service.drills.target import DrillError, Place
from tests.support.signals import stop_signals_as_before

OWN = Place("http://127.0.0.1:1", "http://127.0.0.1:2", None, "drawn")
LESS = Claim("There are fewer.", lambda seen: 0.0, "share", most=0.1)


class Played:
    """What the command asked for, and what it is told."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.drills: list[str] = []
        self.numbers = {"hang": 0.5}
        self.error: DrillError | None = None


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Every drill finds 5 %, but `hang`; nothing is started or called."""
    record = Played()

    @asynccontextmanager
    async def own() -> AsyncIterator[Place]:
        yield OWN

    @asynccontextmanager
    async def opened(place: Place) -> AsyncIterator[None]:
        record.places.append(place)
        yield

    async def played(drill: Drill, _: object) -> Result:
        if record.error is not None:
            raise record.error
        record.drills.append(drill.name)
        number = record.numbers.get(drill.name, 0.05)
        return Result(drill, (Verdict(LESS, number, number <= 0.1),), (LESS,) * (drill.name == "recovery"))

    monkeypatch.setattr(own_service, "own_service", own)
    monkeypatch.setattr(target.Target, "open", opened)
    monkeypatch.setattr(play, "play", played)
    return record


@pytest.fixture(autouse=True)
def _signals() -> object:
    with stop_signals_as_before():
        yield


def test_the_list_names_every_drill(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drill", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(DRILLS)


def test_one_drill_says_claim_by_claim_what_was_expected_and_seen(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drill", "retry-storm"]) == 0
    out, err = capsys.readouterr()
    assert out == "  ok  There are fewer.\n      expected at most 10 %; seen 5 %\n"
    assert err.startswith("retry-storm: Every request fails;")
    assert played.places == [OWN]


def test_a_claim_that_does_not_hold_is_marked_and_is_the_exit_status(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drill", "hang"]) == 1
    assert "  NOT There are fewer.\n      expected at most 10 %; seen 50 %\n" in capsys.readouterr().out


def test_all_plays_each_and_holds_only_where_each_does(played: Played) -> None:
    assert cli.main(["drill", "all"]) == 1
    assert played.drills == list(DRILLS)
    played.numbers.clear()
    assert cli.main(["drill", "all"]) == 0


def test_what_could_not_be_looked_at_is_said(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drill", "recovery"]) == 0
    assert "  --  There are fewer.\n      not looked at: " in capsys.readouterr().out


def test_json_has_everything_and_nothing_else_is_on_standard_output(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    played.numbers["hang"] = nan
    assert cli.main(["drill", "hang", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == [
        {
            "drill": "hang",
            "summary": DRILLS["hang"].summary,
            "holds": False,
            "claims": [
                {
                    "claim": "There are fewer.",
                    "expected": "at most 10 %",
                    "seen": "nothing",
                    "value": None,
                    "holds": False,
                }
            ],
            "not_looked_at": [],
        }
    ]


def test_a_running_service_is_called_with_the_tokens_of_the_variables(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRYSCOPE_API_TOKEN", "a" * 16)
    monkeypatch.setenv("RETRYSCOPE_UPSTREAM_TOKEN", "u" * 16)
    arguments = ["--url", "http://127.0.0.1:8080", "--upstream-url", "http://127.0.0.1:8082/"]
    assert cli.main(["drill", "recovery", *arguments]) == 0
    assert played.places == [Place("http://127.0.0.1:8080", "http://127.0.0.1:8082", "a" * 16, "u" * 16)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no drill is named: choose brown-out, hang,"),
        (["flood"], "there is no drill 'flood': choose brown-out, hang,"),
        (["hang", "--url", "http://127.0.0.1:8080"], "--url and --upstream-url go together"),
        (["hang", "--upstream-url", "http://127.0.0.1:8082"], "--url and --upstream-url go together"),
    ],
)
def test_wrong_usage_says_what_to_do(
    arguments: list[str], words: str, played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drill", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert played.drills == []


def test_a_service_that_does_not_answer_is_wrong_usage(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    played.error = DrillError("no service answers")
    assert cli.main(["drill", "hang"]) == 2
    assert capsys.readouterr().err.endswith("retryscope: no service answers\n")
