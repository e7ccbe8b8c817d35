"""The loop that people write by hand, as in the document that we started from, without its prints."""

import asyncio

from benchmarks.workload import Operation, Policy

from .variant import Variant


def _retrying(operation: Operation, policy: Policy) -> Operation:
    async def call(caller: int) -> int:
        for attempt in range(policy.max_attempts):
            try:
                return await operation(caller)
            except Exception:
                if attempt == policy.max_attempts - 1:
                    raise
                await asyncio.sleep(policy.delay * 2**attempt)
        raise AssertionError("the last attempt has returned or raised")

    return call


BARE = Variant(_retrying)
