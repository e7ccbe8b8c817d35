"""Reading what a run is asked to do: parameters that are valid, and that can be performed here."""

from typing import Any

from aiohttp import web

from retryscope_service.http.problems import Problem
from retryscope_service.http.validation import read_params
from retryscope_service.operations.operations import Operations
from retryscope_service.operations.parameters import RefusedParameterError
from retryscope_service.workflows.definition import WorkflowDefinition, WorkflowParams


class RunParams:
    """Reads the parameters of runs.

    Args:
        operations: What the runs can call.
        max_body_bytes: Largest request body.
    """

    def __init__(self, operations: Operations, max_body_bytes: int) -> None:
        self._operations = operations
        self._max_body_bytes = max_body_bytes

    async def read(self, request: web.Request, definition: WorkflowDefinition[Any]) -> WorkflowParams:
        """Those in the request's body.

        Raises:
            Problem: They can't be read, are wrong, or name what may not be called; nothing was started.
        """
        params: WorkflowParams = await read_params(request, definition.params, self._max_body_bytes)
        try:
            self._operations.check(params)
        except RefusedParameterError as error:
            described = {"field": error.field, "value": error.value[:100], "message": f"{error}."}
            errors = {"errors": [described]}
            raise Problem(422, "invalid-parameters", "Invalid parameters", f"{error}.", errors) from None
        return params
