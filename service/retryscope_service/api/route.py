"""A route, declared once: the router, the traces, the token, the page and the OpenAPI document go by it."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from types import MethodType
from typing import Any, ClassVar

from aiohttp import web

from retryscope_service.workflows import WORKFLOWS
from retryscope_service.workflows.definition import WorkflowDefinition

Operation = Mapping[str, Any]
"""As OpenAPI has it; where a schema belongs, a pydantic model may stand."""


@dataclass(frozen=True, slots=True)
class Route:
    """What is answered at a path, and how.

    Attributes:
        method: Of HTTP; GET stands for HEAD too.
        path: With its parameters in braces.
        handler: A method of the resource that declares it.
        operation: What the OpenAPI document says of it, of each workflow that the path may name; None: it is
            of the page, not of the interface.
        traced: Whether its requests have spans. Those that only look have none: they would push out of
            ``/traces`` what it is for.
        open: Whether it needs no token. It says nothing about the runs then: an orchestrator's probes have no
            token, nor has the browser of somebody who opens the page, which then asks, or who follows a link.
        page: Whether the path is an address of the page too, which a browser gets.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[web.StreamResponse]]
    operation: Operation | Callable[[WorkflowDefinition[Any]], Operation] | None = None
    traced: bool = False
    open: bool = False
    page: bool = False

    def documented(self) -> dict[str, Operation]:
        """The operations by their paths in the OpenAPI document: each workflow has a schema of its own."""
        if self.operation is None:
            return {}
        if callable(self.operation):
            return {self.path.format(workflow=name): self.operation(each) for name, each in WORKFLOWS.items()}
        return {self.path: self.operation}


class Resource:
    """What answers at some routes."""

    ROUTES: ClassVar[tuple[Route, ...]]

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.route(each.method, each.path, MethodType(each.handler, self)) for each in self.ROUTES]


def paths_where(routes: Collection[Route], holds: Callable[[Route], bool]) -> frozenset[str]:
    """The paths at all of whose routes something holds."""
    return frozenset(
        {each.path for each in routes if holds(each)} - {each.path for each in routes if not holds(each)}
    )
