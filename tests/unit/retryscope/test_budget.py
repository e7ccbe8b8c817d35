"""The retry budget: a token bucket shared by the callers of one dependency."""

import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope import RetryBudget, RetryPolicy, retry
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, failer, value_of


def test_a_full_bucket_allows_its_capacity_in_retries_and_no_more() -> None:
    """Tokens are whole retries: a fraction of one is not enough."""
    budget = RetryBudget(capacity=2.5)
    assert [budget.try_spend() for _ in range(4)] == [True, True, False, False]
    assert budget.tokens == 0.5


def test_successes_earn_retries_back_up_to_the_capacity() -> None:
    """When a dependency is down, retries fall to ``earn_per_success`` of the successes."""
    budget = RetryBudget(capacity=1, earn_per_success=0.25)
    assert budget.try_spend()
    for _ in range(3):
        budget.earn()
        assert not budget.try_spend()
    budget.earn()
    assert budget.try_spend()
    for _ in range(100):
        budget.earn()
    assert budget.tokens == 1


def test_by_default_there_are_10_retries_and_10_successes_earn_one() -> None:
    """As gRPC's ``maxTokens`` and ``tokenRatio``."""
    budget = RetryBudget()
    for _ in range(10):
        assert budget.try_spend()
    for _ in range(9):
        budget.earn()
    assert budget.tokens == pytest.approx(0.9)


def test_a_bucket_that_never_empties_is_allowed() -> None:
    """The largest of numbers is one."""
    assert RetryBudget(sys.float_info.max).tokens == sys.float_info.max


@given(st.lists(st.booleans()), st.floats(1, 100), st.floats(0.01, 1))
def test_tokens_stay_between_0_and_the_capacity(spends: list[bool], capacity: float, earn: float) -> None:
    """Whatever order retries and successes come in."""
    budget = RetryBudget(capacity, earn)
    for spend in spends:
        if spend:
            budget.try_spend()
        else:
            budget.earn()
        assert 0 <= budget.tokens <= capacity


@pytest.mark.parametrize(
    "bad",
    [
        {"capacity": 0.5},
        {"capacity": -1},
        {"capacity": math.nan},
        {"capacity": math.inf},
        {"capacity": 10**400},
        {"earn_per_success": 0},
        {"earn_per_success": 1.1},
        {"earn_per_success": math.nan},
    ],
)
def test_arguments_out_of_bounds_are_refused_with_name_and_value(bad: dict[str, Any]) -> None:
    """The error says which argument and what it was."""
    ((name, value),) = bad.items()
    with pytest.raises(ValueError, match=rf"{name} must be .*{repr(value)[:100]}"):
        RetryBudget(**bad)


def test_a_denied_retry_is_its_own_reason_and_nested_retries_do_not_multiply(recorded: Recorded) -> None:
    """asyncio.md 20: 25 attempts without a budget; with one of 3 tokens, the first and 3 more."""
    unlimited, limited = Script(*[ConnectionError()] * 25), Script(*[ConnectionError()] * 25)
    policy = RetryPolicy(max_attempts=5, base_delay=0.1)

    def nested(script: Script, budget: RetryBudget | None) -> Any:
        inner = retry(STOCK, policy, budget=budget)(script)
        return retry(PRICE, policy, budget=budget).call(inner)

    with pytest.raises(ConnectionError):
        run(nested(unlimited, None))
    assert unlimited.calls == 25
    with recorded.changes() as changes, pytest.raises(ConnectionError):
        run(nested(limited, RetryBudget(capacity=3)))
    assert limited.calls == 4
    assert {name: change for name, change in changes.items() if "giveups" in name} == {
        'resilience_retry_giveups_total{operation="price", reason="budget", workflow="checkout"}': 1,
        'resilience_retry_giveups_total{operation="stock", reason="budget", workflow="checkout"}': 1,
    }


def test_a_retry_spends_a_token_only_when_it_will_try_again(recorded: Recorded) -> None:
    """Giving up for another reason costs nothing; a success earns."""
    budget = RetryBudget(capacity=5, earn_per_success=0.5)

    async def main() -> None:
        call = retry(PRICE, RetryPolicy(max_attempts=2, retry_on=(ConnectionError,)), budget=budget).call
        with pytest.raises(ValueError, match="no"):
            await call(failer(ValueError("no")))
        assert budget.tokens == 5
        with pytest.raises(ConnectionError):
            await call(failer(ConnectionError()))
        assert budget.tokens == 4
        await call(Script(ConnectionError(), "done"))
        assert budget.tokens == 3.5

    run(main())
    assert value_of(recorded, "resilience_retry_giveups_total", reason="budget") == 0
