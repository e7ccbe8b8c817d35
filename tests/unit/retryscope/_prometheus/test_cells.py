"""Cells write what the client's methods write: any sequence, from four threads, wherever they give way."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.samples import Exemplar

from retryscope import families
from retryscope._prometheus import cells
from retryscope._prometheus.cells import SpanIds, count_of, distribution_of, labels_of, level_of
from retryscope.names import Metric

COUNTER: Final = Metric("asked", "counter", ("who",), "Asked.")
GAUGE: Final = Metric("here", "gauge", ("who",), "Here.")
HISTOGRAM: Final = Metric("took_seconds", "histogram", ("who",), "Took.", "seconds", (0.1, 0.5, 1.0))
WHO: Final = ("a", 'b"')


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """What has been tried is tried again: a test may have another client."""
    cells.client_is_known.cache_clear()
    yield
    cells.client_is_known.cache_clear()


plain = pytest.mark.skipif(not cells.GIL, reason="cells give way where threads do not take turns")


class Ours:
    """The families as this library declares them, written through cells."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = families.counter(COUNTER, self.registry)
        gauge = families.gauge(GAUGE, self.registry)
        histogram = families.histogram(HISTOGRAM, self.registry)
        self.children: dict[str, tuple[Counter, Gauge, Histogram]] = {
            who: (counter.labels(who), gauge.labels(who), histogram.labels(who)) for who in WHO
        }
        self.cells = {
            who: (count_of(count), level_of(level), distribution_of(distribution))
            for who, (count, level, distribution) in self.children.items()
        }

    def write(self, who: str, kind: str, amount: float, ids: SpanIds | None) -> None:
        count, level, distribution = self.cells[who]
        if kind == "counter":
            count.inc(ids)
        elif kind == "gauge":
            level.add(amount)
        else:
            distribution.observe(amount, ids)

    def write_by_client(self, who: str, kind: str, amount: float, ids: SpanIds | None) -> None:
        count, level, distribution = self.children[who]
        labels = None if ids is None else labels_of(ids)
        if kind == "counter":
            count.inc(1, labels)
        elif kind == "gauge":
            level.inc(amount)
        else:
            distribution.observe(amount, labels)

    def exposed(self) -> tuple[bytes, bytes]:
        text: bytes = openmetrics(self.registry)  # type: ignore[no-untyped-call]
        return generate_latest(self.registry), text


AMOUNTS: Final = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 0.5, 1.0, 1, -1, float("inf"), float("-inf"), float("nan")]),
    st.floats(),
    st.integers(-(10**9), 10**9),
)
IDS: Final = st.none() | st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1))
STEPS: Final = st.tuples(
    st.sampled_from(WHO), st.sampled_from(["counter", "gauge", "histogram"]), AMOUNTS, IDS, st.booleans()
)


@given(st.lists(STEPS, max_size=30))
def test_any_sequence_gives_the_same_exposition_as_the_clients_methods(
    steps: list[tuple[str, str, float, SpanIds | None, bool]],
) -> None:
    """Text and OpenMetrics, exemplars and their times too, also where both write the same child in turn."""
    by_client, by_cells = Ours(), Ours()
    with patch.object(time, "time", iter(range(10**6)).__next__):
        for who, kind, amount, ids, _ in steps:
            by_client.write_by_client(who, kind, amount, ids)
    with patch.object(time, "time", iter(range(10**6)).__next__):
        for who, kind, amount, ids, in_turn in steps:
            (by_cells.write_by_client if in_turn else by_cells.write)(who, kind, amount, ids)
    assert by_cells.exposed() == by_client.exposed()


def test_what_is_no_number_is_in_no_bucket() -> None:
    """As with the client, which has it in the sum."""
    by_client, by_cells = Ours(), Ours()
    by_client.write_by_client("a", "histogram", float("nan"), (1, 2))
    by_cells.write("a", "histogram", float("nan"), (1, 2))
    assert by_cells.exposed() == by_client.exposed()
    assert b'took_seconds_sum{who="a"} NaN' in by_cells.exposed()[0]


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads change as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switches")
def test_counts_are_exact_under_four_threads() -> None:
    """Two of them write through cells, two by the client's methods, all of them the same children."""
    ours, rounds = Ours(), 5_000
    start = threading.Barrier(4)

    def work(write: Callable[[str, str, float, SpanIds | None], None]) -> None:
        start.wait()
        for number in range(rounds):
            write("a", "gauge", 1.0, None)
            write("a", "counter", 1.0, (1, 2) if number % 64 == 0 else None)
            write("a", "histogram", 0.25 * (number & 1), None)
            write("a", "gauge", -1.0, None)

    writers = (ours.write, ours.write, ours.write_by_client, ours.write_by_client)
    threads = [threading.Thread(target=work, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read = ours.registry.get_sample_value
    assert read("asked_total", {"who": "a"}) == 4 * rounds
    assert read("here", {"who": "a"}) == 0
    assert read("took_seconds_count", {"who": "a"}) == 4 * rounds
    assert read("took_seconds_bucket", {"who": "a", "le": "0.1"}) == 2 * rounds
    assert read("took_seconds_sum", {"who": "a"}) == 0.25 * 2 * rounds


def names(ours: Ours) -> list[str]:
    return [type(cell).__name__ for cell in ours.cells["a"]]


BY_CLIENT: Final = ["_CountByClient", "_LevelByClient", "_DistributionByClient"]


@plain
def test_where_nothing_stands_against_it_the_values_are_written_directly() -> None:
    assert names(Ours()) == ["_CountCell", "_LevelCell", "_DistributionCell"]


class Moved:
    """A value as another release of the client might have it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = 0.0
        self._exemplar: Exemplar | None = None

    def inc(self, amount: float) -> None:
        self._number += amount

    def get(self) -> float:
        return self._number

    def set_exemplar(self, exemplar: Exemplar) -> None:
        self._exemplar = exemplar

    def get_exemplar(self) -> Exemplar | None:
        return self._exemplar


class Odd(Moved):
    """Has a number where it was, which is another one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self._value = 0.0


@pytest.mark.parametrize("value", [Moved, Odd])
def test_where_the_client_has_changed_its_own_methods_are_called(
    monkeypatch: pytest.MonkeyPatch, value: type[Moved]
) -> None:
    """By name or by meaning; the counts are the same."""
    monkeypatch.setattr("prometheus_client.values.MutexValue", value)
    monkeypatch.setattr("prometheus_client.values.ValueClass", value)
    ours = Ours()
    assert names(ours) == BY_CLIENT
    for kind in ("counter", "gauge", "histogram"):
        ours.write("a", kind, 2.0, (1, 2))
    assert ours.registry.get_sample_value("asked_total", {"who": "a"}) == 1
    assert ours.registry.get_sample_value("here", {"who": "a"}) == 2
    assert ours.registry.get_sample_value("took_seconds_sum", {"who": "a"}) == 2


def test_a_child_with_values_of_its_own_is_written_by_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked at: another library may have changed what the client makes values of."""
    monkeypatch.setattr("prometheus_client.values.ValueClass", Moved)
    assert names(Ours()) == BY_CLIENT


@pytest.mark.parametrize("bounds", [None, [1.0], [0.1, 0.5, 1.0, 2.0]])
def test_bounds_that_are_not_the_buckets_are_left_to_the_client(bounds: list[float] | None) -> None:
    """One for each, the last infinite; else a cell would count where the client does not."""
    child = Ours().children["a"][2]
    child._upper_bounds = bounds  # type: ignore[assignment]
    assert type(distribution_of(child)).__name__ == "_DistributionByClient"


@pytest.mark.parametrize("absent", ["gil", "cpython"])
def test_where_threads_do_not_take_turns_the_client_locks(
    monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    if absent == "gil":
        monkeypatch.setattr(cells, "GIL", False)
    else:
        monkeypatch.setattr(sys.implementation, "name", "pypy")
    ours = Ours()
    assert names(ours) == BY_CLIENT
    ours.write("a", "histogram", 0.2, None)
    assert ours.registry.get_sample_value("took_seconds_count", {"who": "a"}) == 1


MULTIPROCESS: Final = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from retryscope import Operation
from retryscope.metrics import metrics_for

children = metrics_for(CollectorRegistry()).of(Operation("price", workflow="checkout"))
children.started()
children.attempt("error", "OSError", 0.2, (1, 2))
children.ended("success", 0.2, 1, (1, 2))
registry = CollectorRegistry()
MultiProcessCollector(registry)
text = generate_latest(registry).decode()
assert 'resilience_operation_duration_seconds_sum{operation="price",outcome="success"' in text, text
assert registry.get_sample_value("resilience_attempts_total",
    {"workflow": "checkout", "operation": "price", "outcome": "error", "error_type": "OSError"}) == 1
"""


def test_in_the_clients_multiprocess_mode_its_files_are_written(tmp_path: Path) -> None:
    """The value that a cell would write is only a copy there."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", MULTIPROCESS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.db"))
