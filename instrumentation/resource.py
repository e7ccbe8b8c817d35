"""Who this process is, in traces and in logs alike."""

from __future__ import annotations

from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector


def service_name_of_environment() -> str | None:
    """``service.name`` as ``OTEL_SERVICE_NAME`` or ``OTEL_RESOURCE_ATTRIBUTES`` say it, if they do."""
    name = OTELResourceDetector().detect().attributes.get(SERVICE_NAME)
    return None if name is None else str(name)
