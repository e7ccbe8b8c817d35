"""Who this process is, in traces and in logs alike."""

import pytest

from instrumentation.resource import service_name_of_environment


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "shop"}, "shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team=a,service.name=cart"}, "cart"),
        ({"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=cart"}, "shop"),
        ({"OTEL_SERVICE_NAME": "", "OTEL_RESOURCE_ATTRIBUTES": "service.name=cart"}, "cart"),
    ],
)
def test_the_environment_names_the_service_or_nobody_does(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str | None
) -> None:
    """``OTEL_SERVICE_NAME`` wins, as OpenTelemetry says."""
    for variable in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert service_name_of_environment() == name
