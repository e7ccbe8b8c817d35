"""The retry libraries that people use instead, with their own telemetry and logging off."""

import backoff
import stamina
import tenacity
from stamina.instrumentation import set_on_retry_hooks

from benchmarks.workload import Operation, Policy, UnavailableError

from .variant import Variant


def _backoff(operation: Operation, policy: Policy) -> Operation:
    return backoff.on_exception(
        backoff.constant,
        UnavailableError,
        max_tries=policy.max_attempts,
        jitter=None,
        logger=None,
        interval=policy.delay,
    )(operation)


def _stamina(operation: Operation, policy: Policy) -> Operation:
    set_on_retry_hooks([])
    return stamina.retry(
        on=UnavailableError,
        attempts=policy.max_attempts,
        timeout=None,
        wait_initial=policy.delay,
        wait_max=policy.delay,
        wait_jitter=0,
        wait_exp_base=1,
    )(operation)


def _tenacity(operation: Operation, policy: Policy) -> Operation:
    return tenacity.retry(
        retry=tenacity.retry_if_exception_type(UnavailableError),
        stop=tenacity.stop_after_attempt(policy.max_attempts),
        wait=tenacity.wait_fixed(policy.delay),
        reraise=True,
    )(operation)


BACKOFF = Variant(_backoff)
STAMINA = Variant(_stamina)
TENACITY = Variant(_tenacity)
