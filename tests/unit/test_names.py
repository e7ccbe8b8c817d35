"""The rules that all names keep, the library's and the service's."""

import re

from retryscope import semconv
from tests.support.names import ATTRIBUTES, METRICS


def test_no_counter_and_histogram_share_a_family() -> None:
    """``x_total`` and ``x`` are one family to the client: TELEMETRY.md, "Trap"."""
    exposed = [name.removesuffix("_total") for name in METRICS]
    assert len(exposed) == len(set(exposed))
    for name, metric in METRICS.items():
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))
        assert not metric.unit or name.endswith(metric.unit)


def test_units_are_in_the_names_of_prometheus_only() -> None:
    """One rule: a Prometheus family ends in its unit, an OpenTelemetry name has none."""
    units = re.compile(r"[._](s|ms|ns|seconds|milliseconds|minutes|bytes)$")
    assert [name for name in (*ATTRIBUTES, *semconv.EVENTS) if units.search(name)] == []
    for metric in METRICS.values():
        assert (metric.unit == "seconds") == metric.name.endswith("_seconds")
    for attribute in ATTRIBUTES.values():
        assert attribute.type != "double" or attribute.help.endswith("in seconds.")


def test_a_name_says_whose_it_is() -> None:
    """The library's begin with what they are about, the service's with its name or a convention's."""
    of_library = {*semconv.ATTRIBUTES, *semconv.METRICS}
    of_service = {*ATTRIBUTES, *METRICS} - of_library
    assert of_service
    assert [name for name in of_service if not re.match(r"retryscope[._]|db\.", name)] == []
    assert [name for name in of_library if re.match(r"retryscope[._]", name)] == []
