"""Who this process is, in traces and in logs alike."""

import pytest
from opentelemetry.sdk.resources import Resource

from retryscope._recording.resource import HashedOnce, service_name_of_environment


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


def test_a_resource_hashed_once_is_the_same_resource() -> None:
    """Equal and of the same hash, so that spans of either are grouped together; another one is another."""
    plain = Resource({"service.name": "shop", "cents": 499})
    once = HashedOnce(plain)
    assert once == plain
    assert plain == once
    assert {once: 1}[HashedOnce(plain)] == 1
    assert once != HashedOnce(Resource({"service.name": "cart"}))


def test_its_hash_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK asks for it with every span that it encodes."""
    once = HashedOnce(Resource({"service.name": "shop"}))
    before = hash(once)
    monkeypatch.setattr(Resource, "__hash__", lambda self: pytest.fail("hashed again"))
    assert hash(once) == before
