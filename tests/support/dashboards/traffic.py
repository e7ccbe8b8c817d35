"""Traffic of every kind, so that no panel has an excuse for being empty."""

import json
from collections.abc import Mapping

from tests.support.polling import wait_until
from tests.support.process import Answer, Service

FAST = {"time_scale": 0.01}
HELD = {"durations": [3600.0], "cancel_after": 3600.0, "cleanup": 0.02}
"""Parameters of `cancellation` with which a run lasts until somebody cancels it."""

SEED_OF_FOUR_ATTEMPTS = 8

FAULTY_PAYMENTS = {
    "RETRYSCOPE_UPSTREAM_FAULTS": json.dumps({"error": 0.5, "paths": ["/payments"], "seed": 38})
}
"""Settings of a service of whose orders half can't be paid."""
MOST_ORDERS = 20
"""Until both ends have been seen: other traffic may share the faults."""


def drive_healthy(service: Service) -> None:
    """Inline workflows in which nothing fails, is retried or is cancelled."""
    for workflow in ("sequential", "concurrent", "retry"):
        assert service.run(workflow, failure_rate=0, **FAST).status == 200
    drive_requests(service)


def drive_requests(service: Service) -> None:
    """Requests to the upstream that succeed."""
    assert service.run("sequential", operation="http", failure_rate=0, **FAST).status == 200


def drive(service: Service) -> None:
    """Every workflow in every way in which it can end, inline and in the background."""
    for seed in range(3):
        for workflow in ("sequential", "concurrent", "timeouts", "cancellation"):
            assert service.run(workflow, seed=seed, **FAST).status == 200
    assert service.run("retry", seed=SEED_OF_FOUR_ATTEMPTS, **FAST).body["outcome"] == "success"
    drive_rare(service)
    late = service.run("retry", failure_rate=1, base_delay=60, deadline=0.5, **FAST)
    assert late.status in (502, 504), late
    _hang_up(service, "cancellation", HELD)
    _hang_up(service, "retry", {"failure_rate": 1, "duration": 0, "base_delay": 3600, "max_delay": 3600})
    _background_runs(service)


def drive_rare(service: Service) -> None:
    """What no traffic of `retryscope load` makes: a failed background run, requests, orders, no such path."""
    exhausted = service.run("retry", failure_rate=1, **FAST)
    assert (exhausted.status, exhausted.body["outcome"]) == (502, "exhausted")
    _ended(service, _submit(service, "retry", {"failure_rate": 1, **FAST}), "failed")
    assert service.run("sequential", operation="http", failure_rate=1, **FAST).status == 200
    _buy(service)
    assert service.get("/nothing/here").status == 404
    assert service.call("POST", "/alerts", _NOTIFICATION).answer().status == 204


def _buy(service: Service) -> None:
    """Orders until one is settled and one is compensated."""
    once = {"max_attempts": 1, "duration": 0, "attempt_timeout": 30, "deadline": 60}
    orders: list[int] = []
    while not {200, 502} <= set(orders):
        assert len(orders) < MOST_ORDERS, orders
        orders.append(service.run("checkout", **once).status)


def _hang_up(service: Service, workflow: str, params: Mapping[str, object]) -> None:
    call = service.start_run(workflow, **params)
    service.wait_for_runs_in_flight(1)
    call.disconnect()
    service.wait_for_runs_in_flight(0)


def _background_runs(service: Service) -> None:
    _ended(service, _submit(service, "sequential", FAST), "succeeded")
    held = _submit(service, "cancellation", HELD)
    _ended(service, held, "running")
    assert service.call("POST", f"/runs/{held}/cancel").answer().status == 202
    _ended(service, held, "cancelled")


def _submit(service: Service, workflow: str, params: object) -> str:
    answer: Answer = service.call("POST", f"/workflows/{workflow}/runs", params).answer()
    assert answer.status == 202, answer
    return answer.headers["Location"].rsplit("/", 1)[1]


def _ended(service: Service, run: str, state: str) -> None:
    wait_until(lambda: service.get(f"/runs/{run}").body["state"] == state, f"run {run} is {state}")


_NOTIFICATION = {
    "version": "4",
    "groupKey": "{}",
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "retryscope",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://127.0.0.1:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "RetryStorm", "job": "retryscope"},
            "annotations": {},
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090",
            "fingerprint": "0123456789abcdef",
        }
    ],
}
