"""Every name that is emitted, the library's and the service's together; whether it is as its table says."""

from prometheus_client import Metric as Family

from retryscope import semconv
from retryscope.names import Metric
from retryscope_service import semconv as service_semconv

ATTRIBUTES = {**semconv.ATTRIBUTES, **service_semconv.ATTRIBUTES}
METRICS = {**semconv.METRICS, **service_semconv.METRICS}
_TYPES = {"string": str, "int": int, "double": float, "boolean": bool}


def check_family(family: Family, metric: Metric) -> None:
    """Type, help, labels and buckets."""
    assert (family.type, family.documentation) == (metric.type, metric.help)
    for sample in family.samples:
        assert set(sample.labels) - {"le"} == set(metric.labels)
    if metric.buckets and family.samples:
        bounds = {float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels}
        assert bounds == {*metric.buckets, float("inf")}


def check_type(name: str, value: object) -> None:
    """The type of an attribute's value, exactly: an int is no double."""
    assert type(value) is _TYPES[ATTRIBUTES[name].type], (name, value)
