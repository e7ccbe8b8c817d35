"""The service's table of names: what is emitted beside the library's is in it, and all of it is emitted."""

import signal

import pytest

from retryscope import semconv as library
from retryscope_service import semconv
from tests.support.names import check_family
from tests.unit.retryscope_service.helpers import served


async def test_every_metric_of_the_table_is_registered_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, type, labels, help and buckets; a process has no others beside the library's."""
    async with served(monkeypatch) as service:
        families = {family.name: family for family in service.recorded.registry.collect()}
        signal.raise_signal(signal.SIGTERM)
    assert families.keys() - library.METRICS == set(semconv.METRICS)
    for name, metric in semconv.METRICS.items():
        check_family(families[name], metric)
