"""PromQL in the few shapes that the dashboards are made of.

Names of metrics come from `retryscope.semconv`; what rules need too, such as sums and shares, is in
`retryscope_service.slo.promql`. The window of a rate is `$__rate_interval`, which Grafana keeps at four
scrapes or more, so that no panel is empty because of its zoom.
"""

from retryscope.names import Metric
from retryscope_service.slo.promql import summed

ENGINE = "runs"
"""What the engine's own calls say for a workflow; it is none, and has no runs."""


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
        return mean(summed(self.total(metric, *matchers), *by), summed(self.count(metric, *matchers), *by))


JOB = Scope('job="$job"')
RECORDED = Scope('job="$job"', 'workflow=~"$workflow"')
WORKFLOWS = Scope('job="$job"', 'workflow=~"$workflow"', f'workflow!="{ENGINE}"')
OPERATIONS = Scope('job="$job"', 'workflow=~"$workflow"', 'operation=~"$operation"')
INSTANCES = Scope('job="$job"', 'instance=~"$instance"')


def rate(selector: str) -> str:
    """Increase a second."""
    return f"rate({selector}[$__rate_interval])"


def total(selector: str) -> str:
    """Increase in the time range of the dashboard: for one number, not for a curve."""
    return f"increase({selector}[$__range])"


def worst(expression: str, *by: str, most: int) -> str:
    """Of the series, those with the greatest values in the time range: the same ones at each point of it."""
    value = expression.strip()
    greatest = f"max_over_time(({value})[$__range:$__rate_interval] @ end())"
    return f"({value})\nand on ({', '.join(by)})\ntopk({most}, {greatest})"


def named(expression: str, label: str, nothing: str) -> str:
    """The series with a name where the label has no value: Grafana would show "Value" for an empty legend."""
    return f'label_replace({expression}, "{label}", "{nothing}", "{label}", "")'


def mean(total: str, count: str) -> str:
    """How much of the total there is for each; where there is none, there is no value."""
    return f"{total}\n/ ({count} > 0)"
