"""Conditions of TraceQL, as the dashboards' and the console's links to traces are made of them."""

from typing import Final

from retryscope import outcome, semconv
from retryscope_service.slo.promql import quoted


def named(kind: str) -> str:
    """The condition that a span is of a kind, such as an attempt."""
    return f'name =~ "{kind} .*"'


def has_outcome(*outcomes: str) -> str:
    """The condition that a span ended in one of some ways."""
    return f'span.{semconv.OUTCOME} =~ "{"|".join(outcomes)}"'


IS_WORKFLOW: Final = named(semconv.SPAN_WORKFLOW)
IS_ATTEMPT: Final = named(semconv.SPAN_ATTEMPT)
IS_BACKOFF: Final = named(semconv.SPAN_BACKOFF)
IS_CLEANUP: Final = named(semconv.SPAN_CLEANUP)
NOT_ATTEMPT: Final = f'name !~ "{semconv.SPAN_ATTEMPT} .*"'
"""An attempt that failed may have been repaired by the next one; its span has an outcome, too."""
FAILED: Final = has_outcome(*outcome.FAILED)
FAILED_OR_CANCELLED: Final = has_outcome(*outcome.FAILED, "cancelled")


def spans(service: str, *conditions: str) -> str:
    """Spans of a service that meet all conditions; it has the name of the Prometheus job."""
    return "{ " + " && ".join((f"resource.service.name = {quoted(service)}", *conditions)) + " }"
