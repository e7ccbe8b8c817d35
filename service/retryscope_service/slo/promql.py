"""Pieces of PromQL that several rules are made of."""

import json

from retryscope import outcome, semconv
from retryscope_service import semconv as service_semconv

Labels = tuple[str, ...]

JOB_WORKFLOW: Labels = ("job", "workflow")
JOB_WORKFLOW_OPERATION: Labels = ("job", "workflow", "operation")
JOB_INSTANCE: Labels = ("job", "instance")

WORKFLOW_RUNS = f"{semconv.WORKFLOW_DURATION.name}_count"
OPERATIONS = f"{semconv.OPERATION_DURATION.name}_count"
ATTEMPTS = f"{semconv.ATTEMPTS.name}_total"
DROPPED_SPANS = f"{semconv.DROPPED_SPANS.name}_total"
EVENT_LOOP_LAG = f"{service_semconv.EVENT_LOOP_LAG.name}_bucket"

INLINE = 'pool="inline"'
ENGINE = 'pool="engine"'
NOT_ENGINE = 'pool!="engine"'


def ended(*outcomes: str) -> str:
    """The matcher of what ended in one of some ways; where only one is missing, it leaves out that one."""
    others = [each for each in outcome.OUTCOMES if each not in outcomes]
    if len(others) == 1:
        return f'outcome!="{others[0]}"'
    return f'outcome="{outcomes[0]}"' if len(outcomes) == 1 else f'outcome=~"{"|".join(outcomes)}"'


FAILED = ended(*outcome.FAILED)
COUNTED = ended(*outcome.COUNTED)
FAILED_ATTEMPTS = ended(*(each for each in outcome.ATTEMPT_OUTCOMES if each in outcome.FAILED))
TIMED_OUT = ended("timeout")
CANCELLED = ended("cancelled")


def quoted(text: str) -> str:
    """A string literal."""
    return json.dumps(text, ensure_ascii=False)


def summed(vector: str, *by: str) -> str:
    """The sum, by labels."""
    return aggregated("sum", vector, *by)


def largest(vector: str, *by: str) -> str:
    """The largest, by labels: for what every process reports of the same thing."""
    return aggregated("max", vector, *by)


def aggregated(function: str, vector: str, *by: str) -> str:
    """An aggregation, by labels."""
    return f"{function} by ({', '.join(by)}) ({vector})" if by else f"{function}({vector})"


def over(function: str, metric: str, window: str, *matchers: str) -> str:
    """A function of a metric's samples in a window."""
    return f"{function}({selector(metric, *matchers)}[{window}])"


def selector(metric: str, *matchers: str) -> str:
    """The metric's series that match."""
    return f"{metric}{{{', '.join(matchers)}}}" if matchers else metric


def share(part: str, whole: str) -> str:
    """Which share of the whole is the part: 0 where there is no part, and nothing where there is no whole.

    A counter that has never counted has no series yet. A service without failures must not look like a
    service without data; a service without traffic must.
    """
    return lines(part, f"/ ({whole} > 0)", "or", f"({whole} > 0) * 0")


def lines(*parts: str) -> str:
    """One expression over several lines."""
    return "\n".join(parts) + "\n"
