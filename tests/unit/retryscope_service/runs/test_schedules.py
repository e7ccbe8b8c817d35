"""Whatever happens to workers, in whatever order: each run ends exactly once, and gives its place back."""

import asyncio
from collections.abc import Sequence

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.support.redis import RedisServer
from tests.unit.retryscope_service.runs.fleet import fleet

REAL_LOOP = True

Step = tuple[str, int, int]
"""What, of which run, at which worker."""

STEPS = ("submit", "finish", "cancel", "stop", "stop too long", "go on", "kill", "hand back", "again", "lose")
steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=12
)


async def play(url: str, schedule: Sequence[Step]) -> None:
    async with fleet(url, 2) as found:
        await found.submit()
        for what, run, at in schedule:
            run_id = found.runs[run % len(found.runs)]
            member = found.members[at]
            match what:
                case "submit":
                    await found.submit()
                case "finish":
                    await found.finish(run_id, member)
                case "cancel":
                    await found.cancel(run_id)
                case "stop":
                    member.stop()
                case "stop too long":
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


def overtaken(at: int, *then: Step) -> list[Step]:
    """A worker is stopped, loses its run to the other one, and goes on; then something else."""
    return [("stop too long", 0, at), ("go on", 0, at), *then]


@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate], print_blob=True)
@given(steps)
@example(overtaken(0, ("finish", 0, 0), ("kill", 0, 1)))
@example(overtaken(1, ("finish", 0, 1), ("kill", 0, 0)))
@example(overtaken(0, ("finish", 0, 0), ("hand back", 0, 1)))
@example(overtaken(1, ("finish", 0, 1), ("hand back", 0, 0)))
@example(overtaken(0, ("kill", 0, 1), ("cancel", 0, 0)))
@example(overtaken(1, ("kill", 0, 0), ("cancel", 0, 0)))
@example([("again", 0, 0), ("again", 0, 1), ("again", 0, 0), ("again", 0, 1)])
@example([("lose", 0, 0)])
def test_every_run_ends_once_and_gives_its_place_back(redis: RedisServer, schedule: list[Step]) -> None:
    """Stopped, continued, killed, ended, starved, cancelled, and messages lost."""
    assert redis.command("FLUSHALL") == "+OK"
    asyncio.run(asyncio.wait_for(play(redis.url, schedule), 120))
