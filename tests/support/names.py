"""Every name that is emitted, the library's and the service's together."""

from retryscope import semconv
from retryscope_service import semconv as service_semconv

ATTRIBUTES = {**semconv.ATTRIBUTES, **service_semconv.ATTRIBUTES}
METRICS = {**semconv.METRICS, **service_semconv.METRICS}
