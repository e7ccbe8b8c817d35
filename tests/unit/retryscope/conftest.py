"""Every test of the library records in memory, and declares operations for itself only."""

from collections.abc import Iterator

import pytest

from retryscope import operation
from tests.support.recorded import Recorded, recording


@pytest.fixture(autouse=True)
def _declarations_of_this_test_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_declared", dict(operation._declared))


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Telemetry in memory, on the virtual clock."""
    with recording() as recorded:
        yield recorded
