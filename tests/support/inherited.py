"""What a process inherits from whatever started it, and the tests must not depend on.

A shell that starts a job in the background has SIGINT ignored in it, `nohup` SIGHUP, some CI runners SIGTERM.
What is ignored or blocked stays so in every program that is started from there: Ctrl-C then does nothing.
"""

import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_Handler = Callable[..., Any] | int | None

AS_AT_A_TERMINAL: Mapping[signal.Signals, _Handler] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGCHLD: signal.SIG_DFL,  # else the exit status of a process that has ended is lost
}


def _go_on(number: int, frame: object) -> None:
    """What a handler does is never inherited: a program that is started has the default again."""


def set_dispositions() -> None:
    """Hear the signals that the tests send, here and in whatever is started from here.

    Whoever wants this process to survive the end of a terminal keeps that.
    """
    for number, handler in AS_AT_A_TERMINAL.items():
        signal.signal(number, handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _go_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def state_of_the_process() -> dict[str, object]:
    """What a test may change for itself, and the next one would find."""
    return {
        **{f"variable {name}": value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        **{f"handler of {number.name}": signal.getsignal(number) for number in _HEARD},
        **{f"logger {name!r}": _of_logger(name) for name in ("", "retryscope_service", "retryscope")},
        "working directory": Path.cwd(),
    }


_HEARD = (*AS_AT_A_TERMINAL, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)


def _of_logger(name: str) -> object:
    logger = logging.getLogger(name)
    # pytest adds its own for each phase of a test.
    handlers = [each for each in logger.handlers if not type(each).__module__.startswith("_pytest.")]
    return logger.level, logger.propagate, logger.disabled, handlers
