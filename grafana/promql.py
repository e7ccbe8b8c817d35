"""PromQL in the few shapes that the dashboards are made of.

Names of metrics come from `instrumentation.semconv`; every window is `$__rate_interval`, which Grafana keeps
at four scrapes or more, so that no panel is empty because of its zoom.
"""

from instrumentation.semconv import Metric

WINDOW = "$__rate_interval"

FAILED = 'outcome=~"error|timeout|exhausted"'
COUNTED = 'outcome!="cancelled"'
"""A cancelled run counts on neither side of the failure ratio."""


class Scope:
    """The matchers that every selector of a dashboard has, which are its variables.

    Args:
        matchers: Such as `job="$job"`.
    """

    def __init__(self, *matchers: str) -> None:
        self._matchers = matchers

    def select(self, sample: str, *matchers: str) -> str:
        """A selector of a sample by its full name."""
        return f"{sample}{{{', '.join((*self._matchers, *matchers))}}}"

    def gauge(self, metric: Metric, *matchers: str) -> str:
        """A gauge."""
        return self.select(metric.name, *matchers)

    def counter(self, metric: Metric, *matchers: str) -> str:
        """The rate of a counter."""
        return rate(self.select(f"{metric.name}_total", *matchers))

    def count(self, metric: Metric, *matchers: str) -> str:
        """The rate of a histogram's observations."""
        return rate(self.select(f"{metric.name}_count", *matchers))

    def total(self, metric: Metric, *matchers: str) -> str:
        """The rate of the sum of a histogram's observations."""
        return rate(self.select(f"{metric.name}_sum", *matchers))

    def buckets(self, metric: Metric, *matchers: str) -> str:
        """The rate of a histogram's buckets."""
        return rate(self.select(f"{metric.name}_bucket", *matchers))

    def quantile(self, share: float, metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
        """A quantile of a histogram; where nothing was observed there is no value (not NaN)."""
        buckets = summed(self.buckets(metric, *matchers), *by, "le")
        return f"histogram_quantile({share:g}, {buckets}) >= 0"

    def mean(self, metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
        """The mean of a histogram; where nothing was observed there is no value."""
        count = summed(self.count(metric, *matchers), *by)
        return f"{summed(self.total(metric, *matchers), *by)}\n/ ({count} > 0)"


JOB = Scope('job="$job"')
WORKFLOWS = Scope('job="$job"', 'workflow=~"$workflow"')
OPERATIONS = Scope('job="$job"', 'workflow=~"$workflow"', 'operation=~"$operation"')
INSTANCES = Scope('job="$job"', 'instance=~"$instance"')


def rate(selector: str) -> str:
    """Increase a second."""
    return f"rate({selector}[{WINDOW}])"


def increase(selector: str) -> str:
    """Increase in one step of the panel."""
    return f"increase({selector}[{WINDOW}])"


def summed(expression: str, *by: str) -> str:
    """The sum, by labels."""
    return aggregated("sum", expression, *by)


def largest(expression: str, *by: str) -> str:
    """The largest, by labels: for what every process reports of the same thing."""
    return aggregated("max", expression, *by)


def aggregated(function: str, expression: str, *by: str) -> str:
    """An aggregation, by labels."""
    return f"{function} by ({', '.join(by)}) ({expression})" if by else f"{function}({expression})"


def ratio(part: str, whole: str) -> str:
    """A share, which is 0 where there is nothing to divide by; both sides have the same labels."""
    return f"{part}\n/ ({whole} > 0)\nor 0 * {whole}"
