"""What is sent: scenarios, mixes, seeds."""

from collections import Counter
from itertools import islice
from random import Random

import pytest

from retryscope_service.load.request import Request
from retryscope_service.load.scenarios import SCENARIOS, Share
from retryscope_service.load.traffic import mixed, requests
from retryscope_service.slo.definition import read_definition
from retryscope_service.workflows import WORKFLOWS

SHARES = (
    Share("retry", {"failure_rate": 0.5}, weight=3),
    Share("timeouts", weight=1),
    Share("sequential", weight=1, kind="hang_up", after=2.0),
)


def drawn(
    shares: tuple[Share, ...],
    number: int = 4000,
    *,
    time_scale: float = 1.0,
    background: float = 0.0,
    seed: int = 1,
) -> list[Request]:
    return list(
        islice(
            requests(shares, time_scale=time_scale, background=background, rng=Random(seed)),
            number,
        )
    )


def shares_of(found: list[Request]) -> dict[str, float]:
    return {name: count / len(found) for name, count in Counter(each.workflow for each in found).items()}


def test_requests_come_as_often_as_they_weigh() -> None:
    assert shares_of(drawn(SHARES)) == pytest.approx(
        {"retry": 0.6, "timeouts": 0.2, "sequential": 0.2}, abs=0.03
    )


def test_the_same_seed_sends_the_same_with_a_seed_for_each_run() -> None:
    """So what happens inside the runs is the same again too."""
    assert drawn(SHARES, 50) == drawn(SHARES, 50)
    assert drawn(SHARES, 50) != drawn(SHARES, 50, seed=2)
    assert len({each.body["seed"] for each in drawn(SHARES, 50)}) == 50


def test_the_time_scale_is_also_that_of_the_time_until_a_cancel() -> None:
    for each in drawn(SHARES, 50, time_scale=0.1):
        assert each.body["time_scale"] == 0.1
        assert each.after == pytest.approx(0.2 if each.kind == "hang_up" else 0.0)


@pytest.mark.parametrize(("background", "expected"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
def test_a_share_of_the_inline_requests_goes_to_the_background(background: float, expected: float) -> None:
    """Those that are meant to be cancelled stay what they are."""
    kinds = Counter(each.kind for each in drawn(SHARES, background=background))
    assert kinds["background"] / (kinds["background"] + kinds["inline"]) == pytest.approx(expected, abs=0.03)
    assert kinds["hang_up"] == Counter(each.kind for each in drawn(SHARES))["hang_up"]


def test_a_mix_sets_how_often_each_workflow_is_sent() -> None:
    """And leaves out the others; what the scenario lacks is sent with the service's defaults."""
    shares = mixed(SHARES, {"retry": 1, "concurrent": 3})
    found = drawn(shares)
    assert shares_of(found) == pytest.approx({"retry": 0.25, "concurrent": 0.75}, abs=0.03)
    assert {share.workflow: share.params for share in shares} == {
        "retry": {"failure_rate": 0.5},
        "concurrent": {},
    }


def test_requests_of_a_workflow_keep_their_proportions_in_a_mix() -> None:
    shares = (Share("retry", {"max_retries": 1}, weight=30), Share("retry", {"max_retries": 2}, weight=10))
    assert [share.weight for share in mixed(shares, {"retry": 8})] == pytest.approx([6, 2])


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_request_of_a_scenario_is_one_that_the_service_takes(name: str) -> None:
    """Its parameters are within the bounds of its workflow."""
    for share in SCENARIOS[name].shares:
        params = WORKFLOWS[share.workflow].params
        assert params.model_validate({**share.params, "seed": 1, "time_scale": SCENARIOS[name].time_scale})
        assert (share.after > 0) == (share.kind in {"cancel", "hang_up"})


def test_there_is_a_scenario_for_each_alert_that_traffic_can_fire() -> None:
    """A service that is down, and a collector that is, are nothing that traffic does."""
    alerts = {field.alias or name for name, field in type(read_definition().alerts).model_fields.items()}
    provoked = {scenario.alert for scenario in SCENARIOS.values() if scenario.alert is not None}
    assert provoked == {"FailureBudgetBurn", *alerts} - {"ServiceDown", "TelemetryDropped"}


def test_the_healthy_scenario_keeps_well_below_every_threshold() -> None:
    """By its parameters: half of each threshold at most."""
    definition = read_definition()
    scenario = SCENARIOS["mixed"]
    found = drawn(scenario.shares, 20_000)
    runs = Counter(each.workflow for each in found)
    cancelled = Counter(each.workflow for each in found if each.kind in {"cancel", "hang_up"})
    spike = definition.alerts.cancellation_spike.threshold
    assert max(cancelled[workflow] / runs[workflow] for workflow in runs) < spike / 2

    late: Counter[str] = Counter()
    limited: Counter[str] = Counter()
    for each in found:
        for operation in each.body.get("operations", ()):
            limited[operation["name"]] += 1
            late[operation["name"]] += operation["duration"] >= operation["timeout"]
    assert len(limited) == 3
    timeouts = definition.alerts.timeout_ratio_high.threshold
    assert max(late[name] / limited[name] for name in limited) < timeouts * 0.6

    (retry,) = (share for share in scenario.shares if share.workflow == "retry")
    rate = retry.params["failure_rate"]
    attempts = 1 + WORKFLOWS["retry"].params().model_dump()["max_retries"]
    assert rate**attempts < definition.objective.budget / 10
    assert 1 / (1 - rate) < definition.alerts.retry_storm.threshold * 0.75
