"""What single numbers show of given series, above all where they must not look healthy: asked of promtool."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_dashboards import FOLDER
from tests.support.dashboards.model import load, prometheus_targets, substituted
from tests.support.promtool import Promtool

VALUES = {
    "job": "shop",
    "workflow": ".*",
    "operation": ".*",
    "instance": ".*",
    "__rate_interval": "5m",
    "__range": "30m",
}
Series = dict[str, str]
"""Values of an hour in promtool's notation, by the rest of the name: a sample a minute."""

ENDED = 'resilience_operation_duration_seconds_count{job="shop",workflow="w",operation="o",outcome='
RUNS = 'resilience_workflow_duration_seconds_count{job="shop",workflow="w",outcome='
ATTEMPTS = 'resilience_attempts_total{job="shop",workflow="w",operation="o",outcome='
NEEDED = 'resilience_operation_attempts_{}{{job="shop",workflow="w",operation="o",outcome="success"}}'
LAG = 'retryscope_event_loop_lag_seconds_bucket{{job="shop",instance="{}",le="{}"}}'
LOST = 'retryscope_runs_total{job="shop",workflow="w",state="lost",outcome=""}'
HELD = 'resilience_operations_in_flight{job="shop",workflow="w",operation="o"}'
AGAIN = 'retryscope_run_redeliveries_total{job="shop",workflow="w"}'
SENT = 'http_client_request_duration_seconds_count{job="shop",server_address="s",http_response_status_code='
DONE = 'retryscope_upstream_requests_total{{job="{}",route="/work",status="200",fault="{}"}}'
ORDERS = 'retryscope_orders_total{job="shop",state='
DEAF = 'retryscope_threads_abandoned_total{job="shop"}'
GROWS, STANDS = "0+60x60", "5x60"


def lag_of(instance: str, *counts: int) -> Series:
    """A histogram of the event loop's lag, of which so many more fall below each bound a minute."""
    bounds = ("0.001", "0.5", "1", "+Inf")
    return {LAG.format(instance, le): f"0+{n}x60" for le, n in zip(bounds, counts, strict=True)}


CASES: dict[str, tuple[str, str, Series, float | None]] = {
    "of a total failure all failed": (
        "retryscope-workflows",
        "Failure ratio now",
        {RUNS + '"error"}': GROWS, RUNS + '"success"}': STANDS},
        1,
    ),
    "without failures none failed": (
        "retryscope-workflows",
        "Failure ratio now",
        {RUNS + '"success"}': GROWS},
        0,
    ),
    "what stays in flight while nothing ends hangs": (
        "retryscope-cancellations",
        "Hanging now",
        {HELD: "2x60", ENDED + '"success"}': STANDS},
        1,
    ),
    "what stays in flight while others of its kind end does not hang": (
        "retryscope-cancellations",
        "Hanging now",
        {HELD: "2x60", ENDED + '"success"}': GROWS},
        0,
    ),
    "what has just begun does not hang": (
        "retryscope-cancellations",
        "Hanging now",
        {HELD: "_x55 2x5", ENDED + '"success"}': STANDS},
        0,
    ),
    "what nobody counts is not known to hang": ("retryscope-cancellations", "Hanging now", {}, None),
    "without runs there is no failure ratio": (
        "retryscope-workflows",
        "Failure ratio now",
        {RUNS + '"error"}': STANDS, RUNS + '"success"}': STANDS},
        None,
    ),
    "the budget that nobody has counted yet is not whole": (
        "retryscope-workflows",
        "Least budget left",
        {
            RUNS + '"error"}': GROWS,
            'job_workflow:resilience_failure_budget:ratio{job="shop",workflow="w"}': "0.01x60",
        },
        None,
    ),
    "the least budget is that of the workflow that has least": (
        "retryscope-workflows",
        "Least budget left",
        {
            'job_workflow:resilience_failure_budget_remaining:ratio{job="shop",workflow="v"}': "0.75x60",
            'job_workflow:resilience_failure_budget_remaining:ratio{job="shop",workflow="w"}': "0.25x60",
        },
        0.25,
    ),
    "a budget that is spent thirty times over is spent": (
        "retryscope-workflows",
        "Least budget left",
        {'job_workflow:resilience_failure_budget_remaining:ratio{job="shop",workflow="w"}': "-29x60"},
        -1,
    ),
    "no alert fires where rules are evaluated": (
        "retryscope-overview",
        "Alerts firing",
        {'job_workflow:resilience_failure_budget:ratio{job="shop",workflow="w"}': "0.01x60"},
        0,
    ),
    "without rules nobody knows whether an alert fires": (
        "retryscope-overview",
        "Alerts firing",
        {RUNS + '"success"}': GROWS},
        None,
    ),
    "one alert with several windows is one": (
        "retryscope-overview",
        "Alerts firing",
        {
            f'ALERTS{{job="shop",alertname="A",alertstate="firing",workflow="w",long="{window}"}}': "1x60"
            for window in ("1h", "6h")
        },
        1,
    ),
    "what failed a while ago does not fail now": (
        "retryscope-workflows",
        "Failure ratio now",
        {RUNS + '"error"}': "0+60x40 2400x20", RUNS + '"success"}': STANDS},
        None,
    ),
    "the operation that times out is not averaged away by others that do not": (
        "retryscope-cancellations",
        "Worst timeouts",
        {
            ENDED + '"timeout"}': GROWS,
            ENDED + '"success"}': GROWS,
            ENDED.replace('"o"', '"p"') + '"success"}': "0+6000x60",
        },
        0.5,
    ),
    "attempts per success where none succeeds are not fewer than 1": (
        "retryscope-retries",
        "Per success",
        {NEEDED.format("sum"): STANDS, NEEDED.format("count"): STANDS, ENDED + '"error"}': GROWS},
        None,
    ),
    "attempts per success": (
        "retryscope-retries",
        "Per success",
        {NEEDED.format("sum"): "0+90x60", NEEDED.format("count"): GROWS},
        1.5,
    ),
    "amplification where nothing ends is not 0": (
        "retryscope-retries",
        "Mean attempts",
        {ATTEMPTS + '"error"}': GROWS, ENDED + '"error"}': STANDS},
        None,
    ),
    "what was lost 20 minutes ago is still shown": (
        "retryscope-runs",
        "Lost",
        {LOST: "0x40 1x20"},
        1,
    ),
    "what was lost before the time range is not": (
        "retryscope-runs",
        "Lost",
        {LOST: "0x20 1x40"},
        0,
    ),
    "what was delivered again 20 minutes ago is still shown": (
        "retryscope-runs",
        "Delivered again",
        {AGAIN: "0x40 1x20"},
        1,
    ),
    "one process that lags is not averaged away by ninety-nine that don't": (
        "retryscope-service",
        "Loop lag p99 now",
        {**lag_of("a", 990_000, 990_000, 990_000, 990_000), **lag_of("b", 0, 0, 600, 600)},
        0.995,
    ),
    "cancelled are the runs of workflows, not the operations in them": (
        "retryscope-cancellations",
        "Runs cancelled",
        {RUNS + '"cancelled"}': "0+15x60", RUNS + '"success"}': "0+45x60", ENDED + '"cancelled"}': GROWS},
        0.25,
    ),
    "a request without an answer failed, one that was cancelled did not": (
        "retryscope-dependencies",
        "Failed requests",
        {
            SENT + '"",error_type="TimeoutError"}': GROWS,
            SENT + '"",error_type=""}': GROWS,
            SENT + '"503",error_type="503"}': GROWS,
            SENT + '"200",error_type=""}': GROWS,
        },
        0.5,
    ),
    "where nothing was sent nothing failed, and nothing succeeded": (
        "retryscope-dependencies",
        "Failed requests",
        {SENT + '"200",error_type=""}': STANDS},
        None,
    ),
    "faults of an upstream that is a process of its own are seen, too": (
        "retryscope-dependencies",
        "Faults put in",
        {
            DONE.format("shop", ""): STANDS,
            DONE.format("upstream", ""): "0+45x60",
            DONE.format("upstream", "hang"): "0+15x60",
        },
        0.25,
    ),
    "faults of another service's upstream are not": (
        "retryscope-dependencies",
        "Faults put in",
        {DONE.format("shop", ""): GROWS, DONE.format("other", "hang"): GROWS},
        0,
    ),
    "undone is a share of the orders that ended": (
        "retryscope-dependencies",
        "Orders undone",
        {ORDERS + '"settled"}': "0+45x60", ORDERS + '"compensated"}': "0+15x60"},
        0.25,
    ),
    "without orders none is undone, and none is settled": (
        "retryscope-dependencies",
        "Orders undone",
        {ORDERS + '"settled"}': STANDS, ORDERS + '"compensated"}': STANDS},
        None,
    ),
    "a thread that was abandoned 20 minutes ago is still shown": (
        "retryscope-dependencies",
        "Deaf threads",
        {DEAF: "0x40 1x20"},
        1,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_number_says_what_is_so(case: str, tmp_path: Path, system_tool: Callable[[str], Path]) -> None:
    uid, title, given, expected = CASES[case]
    (dashboard,) = (each for each in load(FOLDER) if each["uid"] == uid)
    (target,) = (each for each in prometheus_targets(dashboard) if each.panel["title"] == title)
    samples = [] if expected is None else [{"labels": "{}", "value": expected}]
    # What is NaN is drawn as no value.
    shown = f"round(({substituted(target.expression, VALUES)}) > -Inf, 0.001)"
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in given.items()],
        "promql_expr_test": [{"expr": shown, "eval_time": "1h", "exp_samples": samples}],
    }
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    done = Promtool(system_tool("promtool")).test_rules(file)
    assert done.passed, done.output
