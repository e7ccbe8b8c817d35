"""The drills against a real service: each holds, no claim does without its incident, no faults are left."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from retryscope_service.drills.catalogue import DRILLS
from retryscope_service.drills.drill import Drill, Load
from retryscope_service.drills.measures import http_run
from retryscope_service.drills.play import play
from retryscope_service.drills.target import DrillError, Place, Target
from retryscope_service.upstream.faults import Faults
from tests.support.polling import LIMIT, until, wait_until
from tests.support.process import COMMAND, SUSPICIOUS, Service, environment

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests
CALM = Faults()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service with its upstream."""
    service = Service(tmp_path_factory.mktemp("service"), RETRYSCOPE_UPSTREAM_TOKEN=TOKEN)
    try:
        service.wait_until_ready()
        found = wait_until(
            lambda: re.search(r"operation `http` calls, (http://[^\s,]+)", service.stderr), "it is announced"
        )
        yield Place(f"http://127.0.0.1:{service.port}", found[1], None, TOKEN)
        service.stop()
    finally:
        service.kill()


def drilled(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "drill", *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=LIMIT,
    )


async def faults_of(place: Place) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        ClientSession() as session,
        session.get(f"{place.upstream}/faults", headers=headers) as response,
    ):
        return await response.json()


def test_with_nothing_set_up_every_claim_of_every_drill_holds() -> None:
    """The tokens and addresses of another service do not disturb it."""
    done = drilled(
        "all", "--json", RETRYSCOPE_API_TOKEN="x" * 16, RETRYSCOPE_UPSTREAM_URL="http://127.0.0.1:9"
    )
    results = json.loads(done.stdout)
    failed = [claim for each in results for claim in each["claims"] if not claim["holds"]]
    assert (done.returncode, failed) == (0, [])
    assert [each["drill"] for each in results] == list(DRILLS)
    assert [each["not_looked_at"] for each in results] == [[]] * len(DRILLS)
    assert [words for words in SUSPICIOUS if words in done.stderr] == []


def always(drill: Drill, faults: Faults) -> Drill:
    """The drill with these faults in every phase."""
    return replace(drill, phases={name: replace(each, faults=faults) for name, each in drill.phases.items()})


INSTEAD = {
    "brown-out": [CALM],
    "hang": [CALM],
    "retry-storm": [CALM],
    "slow-dependency": [CALM, Faults(error=0.5)],
    "recovery": [CALM, Faults(unavailable=1.0, retry_after=0)],
}
"""What does not let the claims of a drill hold: calm; for claims that are about calm, an incident."""


@pytest.mark.parametrize("name", DRILLS)
async def test_each_claim_fails_where_its_incident_is_not(name: str, place: Place) -> None:
    drill = DRILLS[name]
    failed: set[str] = set()
    async with Target.open(place) as target:
        for faults in INSTEAD[name]:
            result = await play(always(drill, faults), target)
            failed |= {verdict.claim.says for verdict in result.verdicts if not verdict.holds}
    assert [claim.says for claim in drill.claims if claim.says not in failed] == []


async def test_a_budget_that_is_not_asked_for_is_noticed(place: Place) -> None:
    storm = DRILLS["retry-storm"]
    unbounded = replace(storm.phases["budget"], load=Load(http_run(), runs=20))
    async with Target.open(place) as target:
        result = await play(replace(storm, phases={**storm.phases, "budget": unbounded}), target)
    assert [verdict.holds for verdict in result.verdicts] == [True, False, True, False, False]


def test_against_a_service_with_an_upstream_elsewhere(tmp_path: Path) -> None:
    """The spans of the upstream are in another process then, and what is about them is left out."""
    upstream = Service(tmp_path / "upstream", "upstream", RETRYSCOPE_UPSTREAM_TOKEN=TOKEN)
    try:
        found = wait_until(
            lambda: re.search(r"/metrics on (http://\S+)", upstream.stderr), "the upstream is announced"
        )
        service = Service(
            tmp_path / "service", RETRYSCOPE_UPSTREAM_URL=found[1], RETRYSCOPE_API_TOKEN="a" * 16
        )
        try:
            service.wait_until_ready()
            done = drilled(
                *("brown-out", "--url", f"http://127.0.0.1:{service.port}", "--upstream-url", found[1]),
                RETRYSCOPE_API_TOKEN="a" * 16,
                RETRYSCOPE_UPSTREAM_TOKEN=TOKEN,
            )
        finally:
            service.kill()
    finally:
        upstream.kill()
    assert (done.returncode, done.stdout.count("  ok "), done.stdout.count("  --  ")) == (0, 5, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_and_leaves_no_faults(number: signal.Signals, place: Place) -> None:
    none = await faults_of(place)
    process = subprocess.Popen(  # noqa: ASYNC220
        [COMMAND, "drill", "all", "--url", place.service, "--upstream-url", place.upstream],
        env=environment(RETRYSCOPE_UPSTREAM_TOKEN=TOKEN),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        await until(lambda: faults_of(place), "faults are put in", lambda found: found != none)
        os.kill(process.pid, number)
        _, stderr = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert await faults_of(place) == none
    assert [words for words in SUSPICIOUS if words in stderr] == []


async def test_a_wrong_token_of_the_upstream_is_named(place: Place) -> None:
    done = drilled(
        *("hang", "--url", place.service, "--upstream-url", place.upstream),
        RETRYSCOPE_UPSTREAM_TOKEN="x" * 16,
    )
    assert done.returncode == 2
    assert "needs its token: set RETRYSCOPE_UPSTREAM_TOKEN" in done.stderr


def test_where_nobody_answers_it_says_so() -> None:
    done = drilled("hang", "--url", "http://127.0.0.1:9", "--upstream-url", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "no service answers at http://127.0.0.1:9" in done.stderr


async def test_what_answers_something_else_is_not_played_against() -> None:
    """Another service has the port: it says what it has got."""

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/workflows", hello)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        with pytest.raises(DrillError, match=f"what answers GET /workflows at {url} is no service: hello"):
            async with Target.open(Place(url, url, None, None)):
                pass
