"""Every test of the library records in memory, and declares operations for itself only."""

import importlib
from collections.abc import Iterator

import pytest
from opentelemetry import trace

from retryscope import operation
from tests.support.recorded import Recorded, recording

SETUP = importlib.import_module("retryscope.setup")
"""The module: ``retryscope.setup`` is the function."""


@pytest.fixture(autouse=True)
def _declarations_of_this_test_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_declared", dict(operation._declared))


class Global:
    """Stands for the API's global provider, which a process can set only once."""

    def __init__(self) -> None:
        self.provider: trace.TracerProvider = trace.ProxyTracerProvider()
        self.times_set = 0

    def get(self) -> trace.TracerProvider:
        return self.provider

    def set(self, provider: trace.TracerProvider) -> None:
        self.provider = provider
        self.times_set += 1


@pytest.fixture(autouse=True)
def global_provider(monkeypatch: pytest.MonkeyPatch) -> Global:
    """The API's global provider, for this test only: in whatever order they come, none finds another's."""
    fake = Global()
    monkeypatch.setattr(trace, "get_tracer_provider", fake.get)
    monkeypatch.setattr(trace, "set_tracer_provider", fake.set)
    monkeypatch.setattr(SETUP, "_made_global", None)
    return fake


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Telemetry in memory, on the virtual clock."""
    with recording() as recorded:
        yield recorded
