"""Inline runs: in the request that asked for them, up to a bound, drained at shutdown."""

import asyncio
from collections.abc import Callable
from typing import Any

from retryscope import request_cancel
from retryscope_service.operations.operations import Operations
from retryscope_service.runs.run import WorkflowRun
from retryscope_service.workflows.definition import WorkflowDefinition, WorkflowParams


class TooManyRunsError(Exception):
    """The bound on runs in flight is reached."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} runs are in flight, which is the limit")
        self.limit = limit


class DrainingError(Exception):
    """The service is shutting down and starts nothing new."""


class InlineRuns:
    """The inline runs in flight.

    Args:
        limit: Most runs at the same time.
        operations: What they can call; by default only what is simulated.
    """

    def __init__(self, limit: int, operations: Operations | None = None) -> None:
        self._limit = limit
        self._operations = operations or Operations()
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False

    @property
    def in_flight(self) -> int:
        """Runs that have started and not ended."""
        return len(self._tasks)

    async def run(
        self,
        definition: WorkflowDefinition[Any],
        params: WorkflowParams,
        on_start: Callable[[WorkflowRun], None] = lambda _: None,
    ) -> WorkflowRun:
        """Run a workflow to its end; a cancel of the caller cancels the run and waits for its cleanup.

        Args:
            definition: What to run.
            params: Its parameters.
            on_start: Called with the run when it has started.

        Returns:
            The run, which has ended: also when a shutdown has cancelled it.

        Raises:
            DrainingError: The service is shutting down; nothing was started.
            TooManyRunsError: The bound is reached; nothing was started.
            asyncio.CancelledError: The caller was cancelled; the run has ended.
        """
        if self.draining:
            raise DrainingError
        if len(self._tasks) >= self._limit:
            raise TooManyRunsError(self._limit)
        run = WorkflowRun(definition, params, self._operations)
        # A task of its own: a shutdown can cancel the run while the request lives on and gets an answer.
        task = asyncio.create_task(run.execute(on_start))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is None or caller.cancelling():
                raise
        return run

    async def drain(self, limit: float) -> None:
        """Start nothing new, wait up to ``limit`` seconds for what runs, then cancel it with its cleanup."""
        self.draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limit)
        running = set(self._tasks)
        for task in running:
            request_cancel(task, "shutdown")
        if running:
            await asyncio.wait(running)
