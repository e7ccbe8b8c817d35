"""How long an upstream takes beside the work that is asked of it: distributions, in seconds, with a cap."""

import math
from abc import ABC, abstractmethod
from random import Random
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from retryscope_service.operations.parameters import Parameters, Seconds

Positive = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
"""Seconds."""


class _Distribution(Parameters, ABC):
    cap: Seconds = Field(60.0, description="Longest latency; what is drawn beyond it is cut to it.")

    def draw(self, rng: Random) -> float:
        """A latency, in seconds."""
        return min(max(0.0, self._sample(rng)), self.cap)

    @abstractmethod
    def _sample(self, rng: Random) -> float:
        """One value of the distribution, not yet cut."""


class Fixed(_Distribution):
    """Always the same."""

    distribution: Literal["fixed"]
    seconds: Seconds = Field(description="The latency.")

    def _sample(self, rng: Random) -> float:
        return self.seconds


class Uniform(_Distribution):
    """Any value between two bounds."""

    distribution: Literal["uniform"]
    low: Seconds = Field(description="Shortest latency.")
    high: Seconds = Field(description="Longest latency; not below `low`.")

    @model_validator(mode="after")
    def _in_order(self) -> "Uniform":
        if self.high < self.low:
            raise PydanticCustomError(
                "out_of_order",
                "high is {high}, which must be at least low, {ge}",
                {"high": self.high, "ge": self.low},
            )
        return self

    def _sample(self, rng: Random) -> float:
        return rng.uniform(self.low, self.high)


class Normal(_Distribution):
    """Around a mean, to both sides alike; never below zero."""

    distribution: Literal["normal"]
    mean: Seconds = Field(description="Mean, before anything is cut.")
    deviation: Seconds = Field(description="Standard deviation.")

    def _sample(self, rng: Random) -> float:
        return rng.normalvariate(self.mean, self.deviation)


class LogNormal(_Distribution):
    """As latencies of real services mostly are: many short ones, and a long tail."""

    distribution: Literal["lognormal"]
    median: Positive = Field(description="Half of the latencies are longer.")
    sigma: float = Field(
        ge=0,
        le=5,
        allow_inf_nan=False,
        description="Standard deviation of the logarithm: with 1, the p99 is ten times the median.",
    )

    def _sample(self, rng: Random) -> float:
        return rng.lognormvariate(math.log(self.median), self.sigma)


class Exponential(_Distribution):
    """As between events that do not know of each other."""

    distribution: Literal["exponential"]
    mean: Positive = Field(description="Mean, before anything is cut.")

    def _sample(self, rng: Random) -> float:
        return rng.expovariate(1 / self.mean)


Latency = Annotated[
    Fixed | Uniform | Normal | LogNormal | Exponential,
    Field(discriminator="distribution"),
]
