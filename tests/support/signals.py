"""What a test finds of this process's signal handlers is what it leaves."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from retryscope_service.signals import STOP_SIGNALS


@contextmanager
def stop_signals_as_before() -> Iterator[None]:
    """Give back the handlers of the signals that ask a process to stop."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
