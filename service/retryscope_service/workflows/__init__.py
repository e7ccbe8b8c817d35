"""The workflows: one file per chapter of the document, and their registry."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from retryscope_service.workflows.cancellation import CANCELLATION
from retryscope_service.workflows.checkout import CHECKOUT
from retryscope_service.workflows.concurrent import CONCURRENT
from retryscope_service.workflows.definition import WorkflowDefinition
from retryscope_service.workflows.retry import RETRY
from retryscope_service.workflows.sequential import SEQUENTIAL
from retryscope_service.workflows.timeouts import TIMEOUTS

WORKFLOWS: Final[Mapping[str, WorkflowDefinition[Any]]] = MappingProxyType(
    {each.name: each for each in (SEQUENTIAL, CONCURRENT, CANCELLATION, TIMEOUTS, RETRY, CHECKOUT)}
)
"""Every workflow by its name, in the order of the document."""
