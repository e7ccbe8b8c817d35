"""The signals that ask a process to stop, and which of them is a second request."""

import asyncio
import atexit
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""SIGQUIT is not among them: it ends a process that hears nothing else, with a core dump."""

REPEAT_SECONDS: Final = 1.0
"""What arrives within that time is the same request: GNU `timeout` signals a process and then its group, and
a Ctrl-C reaches a whole terminal, whose `make` or `uv` then passes a signal of its own on."""

OnSignal = Callable[[signal.Signals], object]


def on_stop_signals(ask: OnSignal, insist: OnSignal) -> None:
    """Hear the signals that ask this process to stop, until it has ended.

    They are heard beyond the event loop's end, too: a repeat must not kill a process that ends well.

    Args:
        ask: Called on the running event loop, once.
        insist: Called for each later request: at once, between two steps of whatever the main thread does.
    """
    loop = asyncio.get_running_loop()
    asked: float | None = None

    def hear(number: int, _: FrameType | None) -> None:
        nonlocal asked
        now = loop.time()
        if asked is None:
            asked = now
            if not loop.is_closed():
                loop.call_soon_threadsafe(ask, signal.Signals(number))
        elif now - asked >= REPEAT_SECONDS:
            if loop.is_closed():  # nothing is left but to leave
                os._exit(128 + number)
            insist(signal.Signals(number))

    for number in STOP_SIGNALS:
        # As `nohup` leaves it. A shell ignores SIGINT for a background job, which `kill -INT` may yet end.
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        signal.signal(number, hear)
    atexit.unregister(_hear_no_more)
    atexit.register(_hear_no_more)


def _hear_no_more() -> None:
    """The interpreter's very end gives every handler up, but leaves alone what is ignored."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
