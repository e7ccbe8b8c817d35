"""The types of parameters, with their bounds: of workflows, and of the operations that they call."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_SECONDS = 3600.0
MIN_LIMIT = 0.001
"""Seconds; times the smallest time scale it is still more than no time at all."""
SEED_BITS = 53
"""As many as every reader of JSON keeps of a whole number."""


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(_whole)]
"""As JSON Schema has it: 4.0 is one too."""
Seed = Annotated[int, Field(ge=0, le=2**SEED_BITS - 1), BeforeValidator(_whole)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(ge=MIN_LIMIT, le=MAX_SECONDS, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Parameters(BaseModel):
    """Parameters that a client sends: no others, of the very types, and unchanged afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RefusedParameterError(ValueError):
    """A value that is valid by itself may not be used here.

    Attributes:
        field: Its path in the parameters.
        value: It, as text.
    """

    def __init__(self, field: str, value: str, why: str) -> None:
        super().__init__(why)
        self.field = field
        self.value = value
