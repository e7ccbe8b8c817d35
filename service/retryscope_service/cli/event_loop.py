"""Which event loop a process of the service runs on: uvloop where it is installed, else asyncio's own."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from retryscope_service.cli.output import CommandError

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def add_loop(parser: argparse.ArgumentParser) -> None:
    """Add the option of the commands that run one."""
    parser.add_argument(
        "--loop", help="event loop: asyncio, uvloop, or auto, uvloop where it is installed (RETRYSCOPE_LOOP)"
    )


def loop_factory(choice: str) -> LoopFactory:
    """What makes the loop.

    Args:
        choice: ``auto``, ``asyncio`` or ``uvloop``.

    Raises:
        CommandError: uvloop is asked for, and is not there.
    """
    if choice == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError as error:
        if choice == "auto":
            return asyncio.new_event_loop
        raise CommandError(
            f"loop (RETRYSCOPE_LOOP, --loop) is 'uvloop', which can't be used: {error};"
            " pip install 'retryscope-service[uvloop]' brings it, 'auto' and 'asyncio' do without"
        ) from None
    return uvloop.new_event_loop


def run_on(factory: LoopFactory, main: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, as ``asyncio.run`` does."""
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
