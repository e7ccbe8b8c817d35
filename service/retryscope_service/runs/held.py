"""A run that runs in this process, whichever deliveries have joined it."""

import asyncio
from typing import Any


class HeldRun:
    """A run that runs in this process.

    Attributes:
        task: What runs it.
        delivery: Number of the delivery that it answers for, the last one that joined it; 0 before it starts.
        starting: Held while that number is asked for.
        given_up: Set when it is cancelled only because another worker has the run.
        ended: Set when it has ended.
        over: Whether the run is over then.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.delivery = 0
        self.starting = asyncio.Lock()
        self.given_up = False
        self.ended = asyncio.Event()
        self.over = False
