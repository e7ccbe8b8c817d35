"""Whatever happens to workers, in whatever order: each run ends exactly once, and gives its place back."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.redis import RedisServer
from tests.unit.service.runs.fleet import fleet

REAL_LOOP = True

STEPS = (
    "submit",
    "finish",
    "cancel",
    "stop",
    "stop for too long",
    "go on",
    "kill",
    "hand back",
    "again",
    "lose",
)
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5)), min_size=1, max_size=12)


async def play(url: str, schedule: list[tuple[str, int]]) -> None:
    async with fleet(url, 2) as found:
        await found.submit()
        for what, which in schedule:
            run_id = found.runs[which % len(found.runs)]
            member = found.members[which % len(found.members)]
            match what:
                case "submit":
                    await found.submit()
                case "finish":
                    await found.finish(run_id)
                case "cancel":
                    await found.cancel(run_id)
                case "stop":
                    member.stop()
                case "stop for too long":
                    member.stop()
                    await found.expire(member)
                case "go on":
                    member.go_on()
                case "kill":
                    await found.kill(member)
                case "hand back":
                    await found.hand_back(member)
                case "again":
                    await found.deliver_twice(member)
                case "lose":
                    await found.lose(run_id)
        await found.check()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_every_run_ends_once_and_gives_its_place_back(redis: RedisServer, schedule: Any) -> None:
    """Stopped, continued, killed, ended, starved, cancelled, and messages lost."""
    assert redis.command("FLUSHALL") == "+OK"
    asyncio.run(asyncio.wait_for(play(redis.url, schedule), 120))
