"""Who this process is, in traces and in logs alike."""

from __future__ import annotations

from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource


class HashedOnce(Resource):
    """A resource that is not hashed anew, through JSON, for every span that the SDK's encoder groups by it.

    Args:
        resource: Whose attributes and schema it takes.
    """

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource.attributes, resource.schema_url)
        self._hash = super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def __hash__(self) -> int:
        return self._hash


def service_name_of_environment() -> str | None:
    """``service.name`` as ``OTEL_SERVICE_NAME`` or ``OTEL_RESOURCE_ATTRIBUTES`` say it, if they do."""
    name = OTELResourceDetector().detect().attributes.get(SERVICE_NAME)
    return str(name).strip() or None if name is not None else None
