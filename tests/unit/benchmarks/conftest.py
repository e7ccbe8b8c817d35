"""What the tests of the benchmarks share."""

from collections.abc import Iterator

import pytest

from benchmarks.receiver import Receiver, running_receiver
from retryscope._recording.telemetry import install


@pytest.fixture(autouse=True)
def forget_telemetry() -> Iterator[None]:
    yield
    install(None)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running
