"""How the console's charts are asked of Prometheus and of Tempo."""

from typing import Final

from service.slo.promql import lines, over, quoted, selector, summed
from service.slo.traceql import spans

WINDOW: Final = "1m"
"""What rates are taken over: several scrapes, and as much as the charts' values at 10 s resolution cover."""


def quantile_name(quantile: float) -> str:
    """What a quantile is called, such as p99."""
    return f"p{quantile * 100:g}"


class ChartQueries:
    """PromQL about a job, and TraceQL about its service, which has the same name."""

    def __init__(self, job: str) -> None:
        self._job = job

    def rate(self, metric: str, *matchers: str) -> str:
        """The rate of each series of a counter."""
        return over("rate", metric, WINDOW, f"job={quoted(self._job)}", *matchers)

    def total(self, metric: str, *matchers: str) -> str:
        """The rate of a counter over all its series."""
        return summed(self.rate(metric, *matchers))

    def gauge(self, metric: str) -> str:
        """The sum of a gauge."""
        return summed(selector(metric, f"job={quoted(self._job)}"))

    def share(self, part: str, whole: str) -> str:
        """One rate over another; nothing where that is 0."""
        return lines(part, f"/ ({whole} > 0)")

    def quantiles(self, buckets: str, *quantiles: float) -> str:
        """Quantiles of a histogram, each with its name as the label `quantile`."""
        rates = summed(self.rate(buckets), "le")
        named = (
            # Without observations it is NaN, which `>= 0` leaves out.
            f"label_replace(histogram_quantile({quantile:g}, {rates}) >= 0,"
            f' "quantile", "{quantile_name(quantile)}", "", "")'
            for quantile in quantiles
        )
        return "\nor\n".join(named) + "\n"

    def traces(self, *conditions: str) -> str:
        """TraceQL: spans of the service that meet all conditions."""
        return spans(self._job, *conditions)
