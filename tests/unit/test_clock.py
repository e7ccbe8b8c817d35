"""Virtual time, and what takes real time."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.clock import VirtualLoop, run


def test_threads_that_are_slow_to_end_have_the_time_they_need() -> None:
    """``asyncio.Runner`` warns of them after 300 seconds, from Python 3.12 on."""
    ended: list[bool] = []

    class SlowToEnd(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, **options: Any) -> None:
            time.sleep(0.05)  # in a thread: the loop has many turns meanwhile
            super().shutdown(wait, **options)
            ended.append(wait)

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(SlowToEnd())

    run(main(), lambda: VirtualLoop(start=0.0, idle_timeout=None))
    assert ended[0], "it was not waited for"
