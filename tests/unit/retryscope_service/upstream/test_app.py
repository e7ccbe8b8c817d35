"""The faults over HTTP: who may see and change them, what is refused, and when they hold."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retryscope_service.upstream.app import MAX_BODY_BYTES
from retryscope_service.upstream.faults import FAULTS, Faults
from tests.unit.retryscope_service.upstream.calls import AUTHORIZED, calling


async def test_new_faults_hold_from_the_next_request_on() -> None:
    async with calling() as upstream:
        assert (await upstream.call()).status == 200
        put = await upstream.put_faults(error=1)
        assert (put.status, put.json()["error"]) == (200, 1.0)
        assert (await upstream.call()).status == 500
        assert (await upstream.call("/faults", headers=AUTHORIZED)).json() == put.json()


async def test_they_replace_what_was_there_before() -> None:
    async with calling(error=1) as upstream:
        await upstream.put_faults(retry_after=5)
        assert (await upstream.call()).status == 200


async def test_they_can_be_taken_away() -> None:
    async with calling(error=1) as upstream:
        answer = await upstream.call("/faults", "DELETE", headers=AUTHORIZED)
        assert (answer.status, answer.body) == (204, "")
        assert (await upstream.call()).status == 200
        assert upstream.upstream.faults == Faults()


async def test_the_same_seed_does_the_same_again() -> None:
    async with calling() as upstream:
        statuses = []
        for _ in range(2):
            await upstream.put_faults(error=0.5, seed=3)
            statuses.append([(await upstream.call()).status for _ in range(20)])
    assert statuses[0] == statuses[1]
    assert set(statuses[0]) == {200, 500}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "authorization", [None, "Bearer wrong-0123456789", "Basic 0123456789abcdef", "Bearer"]
)
async def test_nobody_without_the_token_sees_or_changes_them(method: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with calling(hang=0.25) as upstream:
        answer = await upstream.call("/faults", method, headers=headers, json={"error": 1})
        assert (answer.status, answer.json()["title"]) == (401, "API token needed")
        assert "RETRYSCOPE_UPSTREAM_TOKEN" in answer.json()["detail"]
        assert upstream.upstream.faults == Faults(hang=0.25)


@pytest.mark.parametrize(
    ("given", "field", "value", "bound"),
    [
        ({"error": 1.5}, "error", 1.5, "<= 1"),
        ({"hang_seconds": -1}, "hang_seconds", -1, ">= 0"),
        ({"latency": {"distribution": "fixed", "seconds": 9e9}}, "latency.fixed.seconds", 9e9, "<= 3600"),
        ({"latency": {"distribution": "gamma"}}, "latency", {"distribution": "gamma"}, None),
        ({"error": 0.6, "reset": 0.6}, "(body)", {"error": 0.6, "reset": 0.6}, "<= 1"),
        ({"paths": "/job"}, "paths", "/job", None),
    ],
)
async def test_what_is_wrong_is_refused_naming_field_value_and_bound(
    given: Any, field: str, value: Any, bound: str | None
) -> None:
    async with calling() as upstream:
        answer = await upstream.put_faults(**given)
        assert upstream.upstream.faults == Faults()
    (error,) = answer.json()["errors"]
    assert answer.status == 422
    assert (error["field"], error["value"]) == (field, value)
    assert bound is None or error["bound"] == bound


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("{", 400), ("[]", 422), ("null", 422), (" " * MAX_BODY_BYTES + "{}", 413)],
)
async def test_what_are_no_faults_at_all_is_refused(body: str, status: int) -> None:
    async with calling() as upstream:
        headers = {**AUTHORIZED, "Content-Type": "application/json"}
        answer = await upstream.call("/faults", "PUT", data=body, headers=headers)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from([*FAULTS, "latency", "paths", "seed", "retry_after", "hang_seconds", "x"])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(_NAMES, _JSON, max_size=4), min_size=5, max_size=5))
async def test_whatever_is_sent_is_taken_whole_or_refused_with_a_reason(bodies: list[dict[str, Any]]) -> None:
    async with calling() as upstream:
        for body in bodies:
            before = upstream.upstream.faults
            answer = await upstream.call(
                "/faults",
                "PUT",
                data=json.dumps(body),
                headers={**AUTHORIZED, "Content-Type": "application/json"},
            )
            assert answer.status in (200, 422)
            if answer.status == 200:
                assert upstream.upstream.faults == Faults.model_validate_json(answer.body)
            else:
                assert answer.json()["errors"]
                assert upstream.upstream.faults == before


async def test_it_says_whether_it_is_alive_and_ready() -> None:
    async with calling() as upstream:
        assert (await upstream.call("/health/live")).json() == {"status": "live"}
        ready = await upstream.call("/health/ready")
        assert ready.json() == {"status": "ready", "requests_in_flight": 0}
        upstream.upstream.stop()
        assert (await upstream.call("/health/ready")).status == 503
        assert (await upstream.call("/health/live")).status == 200


async def test_there_is_nothing_elsewhere() -> None:
    async with calling() as upstream:
        answer = await upstream.call("/docs")
    assert (answer.status, answer.json()["detail"]) == (
        404,
        "There is no GET /docs here; docs/upstream.md says what there is.",
    )


async def test_a_page_elsewhere_gets_nothing_from_it() -> None:
    """By a name of its own that means 127.0.0.1, or by a request across origins."""
    async with calling() as upstream:
        assert (await upstream.call(headers={"Host": "attacker.example"})).status == 421
        assert (await upstream.call(headers={"Origin": "https://attacker.example"})).status == 403


async def test_one_that_others_reach_answers_to_any_name() -> None:
    async with calling(local=False) as upstream:
        assert (await upstream.call(headers={"Host": "upstream:8082"})).status == 200
