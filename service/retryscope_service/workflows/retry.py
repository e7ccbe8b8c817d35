"""Chapter "Retry with Exponential Backoff": a flaky call, tried again and again."""

from typing import Any

from pydantic import Field

from retryscope import Operation, RetryPolicy, retry
from retryscope.backoff import Jitter
from retryscope_service.operations.operations import OperationParams
from retryscope_service.operations.parameters import Integer, PositiveSeconds, Probability, Seconds
from retryscope_service.operations.simulated import flaky_api_call
from retryscope_service.operations.task import Task
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams

FLAKY_API_CALL = Operation("flaky_api_call", workflow="retry", error_types=("ApiUnavailableError",))


class RetryParams(OperationParams, WorkflowParams):
    """A call of 0.2 seconds that fails with 60 %; four retries after 0.5, 1, 2 and 4 seconds."""

    duration: Seconds = Field(0.2, description="Seconds that each attempt takes.")
    failure_rate: Probability = Field(0.6, description="Probability that an attempt fails.")
    max_retries: Integer = Field(4, ge=0, le=100, description="Attempts after the first one.")
    base_delay: Seconds = Field(0.5, description="Seconds before the first retry.")
    backoff_factor: float = Field(
        2.0, ge=1, le=100, allow_inf_nan=False, description="Growth of the delay from retry to retry."
    )
    max_delay: Seconds = Field(60.0, description="Most seconds between two attempts.")
    jitter: Jitter = Field(
        "none", description="none, as in the document, or full: a random part of the delay."
    )
    attempt_timeout: PositiveSeconds | None = Field(
        None, description="Seconds that each attempt may take; by default no limit."
    )
    deadline: PositiveSeconds | None = Field(
        None, description="Seconds that the whole workflow may take; by default no limit."
    )

    budget: bool = Field(
        False,
        description="Retry only while the budget lasts that all such runs of a process share: ten retries,"
        " and one more for every ten successes.",
    )

    def run_deadline(self) -> float | None:
        """Seconds that the workflow as a whole may take."""
        return self.deadline


async def run(params: RetryParams, context: RunContext) -> None:
    """When the last attempt fails too, so does the workflow."""
    performer = context.operations.by(params)
    policy = RetryPolicy(
        max_attempts=params.max_retries + 1,
        base_delay=context.scaled(params.base_delay),
        backoff_factor=params.backoff_factor,
        max_delay=context.scaled(params.max_delay),
        jitter=params.jitter,
        attempt_timeout=None if params.attempt_timeout is None else context.scaled(params.attempt_timeout),
        retry_on=performer.is_transient,
    )
    duration, failures = context.scaled(params.duration), context.rng("failures")
    task = Task(FLAKY_API_CALL.name, duration, params.failure_rate, failures)

    budget = context.operations.budget(params.operation) if params.budget else None

    @retry(FLAKY_API_CALL, policy, budget=budget, rng=context.rng("jitter"))
    async def call() -> Any:
        return await performer.perform(flaky_api_call, task)

    await context.call(FLAKY_API_CALL.name, call)


RETRY = WorkflowDefinition(
    "retry", "A flaky call, retried with exponential backoff until it succeeds or gives up.", RetryParams, run
)
