"""The benchmarks compare what they say they compare, and compute what they print."""

import asyncio
import gc
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks import __main__ as command
from benchmarks import retries, sleepers_burst, sleepers_memory
from benchmarks.goals import Goal
from benchmarks.receiver import Receiver, running_receiver
from benchmarks.report import render, render_goals
from benchmarks.result import Result
from benchmarks.rounds import Ratio, Rounds, interleave
from benchmarks.variants import INSTRUMENTED, NAMES, open_variant
from benchmarks.variants.operation import SPANS_OF_A_RETRY, SPANS_OF_A_SUCCESS
from benchmarks.workload import FlakyServer, Policy, call_concurrently
from retryscope._recording.telemetry import install

pytestmark = pytest.mark.filterwarnings(
    # backoff asks it; Python 3.14 deprecates it.
    "ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning"
)

CALLERS = 10
FAILING = CALLERS // 5


@pytest.fixture(autouse=True)
def forget_telemetry() -> Iterator[None]:
    yield
    install(None)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def record(name: str, receiver: Receiver) -> tuple[list[int], FlakyServer, tuple[ReadableSpan, ...]]:
    """Answers, attempts and spans of a variant."""
    exporter = InMemorySpanExporter()
    server = FlakyServer(fail_every=5)
    with open_variant(name, receiver.endpoint(f"unit/{name}"), [SimpleSpanProcessor(exporter)]) as variant:
        call = variant.retrying(server.fetch, Policy(delay=0.0))
        answers = asyncio.run(call_concurrently(call, callers=CALLERS, calls_each=2))
        variant.flush()
        assert variant.dropped() == 0
    return answers, server, exporter.get_finished_spans()


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_does_the_same_work(name: str, receiver: Receiver) -> None:
    """Same answers, same attempts, and a call that failed has waited."""
    answers, server, _ = record(name, receiver)
    assert answers == [2 * caller for caller in range(CALLERS)]
    assert server.attempts == 2 * (CALLERS + FAILING)
    assert server.failures == 2 * FAILING


def test_the_textbook_records_the_same_spans_as_ours(receiver: Receiver) -> None:
    """Names, attributes, events, status and depth; only times and the wording of a description may differ."""

    def recorded(name: str) -> list[object]:
        _, _, spans = record(name, receiver)
        return sorted(map(describe, spans), key=repr)

    assert recorded("textbook") == recorded("retryscope")


def describe(span: ReadableSpan) -> tuple[object, ...]:
    attributes = {
        key: value for key, value in (span.attributes or {}).items() if not key.endswith(".backoff")
    }
    events = sorted(
        (event.name, sorted(set(event.attributes or {}) - {"exception.escaped"})) for event in span.events
    )
    return span.name, sorted(attributes.items()), events, span.status.status_code.name, span.parent is None


@pytest.mark.parametrize("name", INSTRUMENTED)
def test_a_call_has_the_spans_that_the_accounting_expects(name: str, receiver: Receiver) -> None:
    """The goals on lost spans rest on these two numbers."""
    _, _, spans = record(name, receiver)
    expected = 2 * (FAILING * SPANS_OF_A_RETRY + (CALLERS - FAILING) * SPANS_OF_A_SUCCESS)
    assert len(spans) == expected == retries.Size(CALLERS, 2).spans


def test_ratios_are_paired_within_their_rounds() -> None:
    """A round in which everything is ten times slower changes nothing."""
    rounds = Rounds(
        [
            {"ours": {"cpu": 4.0}, "bare": {"cpu": 2.0}},
            {"ours": {"cpu": 30.0}, "bare": {"cpu": 10.0}},
            {"ours": {"cpu": 400.0}, "bare": {"cpu": 100.0}},
        ]
    )
    assert rounds.ratio("ours", "bare", "cpu") == Ratio(median=3.0, low=2.5, high=3.5)
    assert rounds.median("ours", "cpu") == 30.0


def test_one_round_is_its_own_spread() -> None:
    """For a quick look with --rounds 1."""
    rounds = Rounds([{"ours": {"cpu": 3.0}, "bare": {"cpu": 2.0}}])
    assert rounds.ratio("ours", "bare", "cpu") == Ratio(1.5, 1.5, 1.5)


def test_rounds_are_interleaved_and_shuffled() -> None:
    """Each round measures every variant once, in an order of its own."""
    order: list[str] = []

    def measure(variant: str) -> dict[str, float]:
        order.append(variant)
        return {"cpu": float(len(order))}

    taken = interleave("abcd", measure, rounds=5, rng=random.Random(1))
    rounds = [tuple(order[start : start + 4]) for start in range(0, 20, 4)]
    assert all(sorted(names) == list("abcd") for names in rounds)
    assert len(set(rounds)) > 1
    assert [
        sample[name]["cpu"] for sample, names in zip(taken.samples, rounds, strict=True) for name in names
    ] == [float(position) for position in range(1, 21)]


@pytest.mark.parametrize(("value", "verdict"), [(0.79, "PASS"), (0.8, "PASS"), (0.81, "FALL SHORT")])
def test_a_goal_says_whether_it_is_met(value: float, verdict: str) -> None:
    """The bound itself is good enough."""
    goal = Goal.of_ratio("lean", "ours to textbook", Ratio(value, 0.7, 0.9), 0.8, required=True)
    assert goal.verdict == verdict
    assert verdict in render_goals([goal])


SMALL: dict[str, Callable[[Receiver], Result]] = {
    "P1": lambda receiver: retries.measure(
        receiver, rounds=2, rng=random.Random(1), size=retries.Size(10, 1, shortest_sample=0.0)
    ),
    "P4": lambda receiver: sleepers_memory.measure(receiver, rounds=2, rng=random.Random(1), callers=50),
    "P5": lambda receiver: sleepers_burst.measure(receiver, rounds=2, rng=random.Random(1), callers=50),
}


@pytest.fixture
def young_heap() -> Iterator[None]:
    """Each sample collects the garbage first; what all the tests before have left would make that slow."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.skipif(sys.platform == "win32", reason="reads the resident set as Unix tells it")
@pytest.mark.usefixtures("young_heap")
@pytest.mark.parametrize("name", SMALL)
def test_each_measurement_runs(name: str, receiver: Receiver) -> None:
    """Tiny sizes; every variant has a row, every goal a number, and no span is lost."""
    result = SMALL[name](receiver)
    table = render(result)
    assert all(f"\n  {variant} " in table for variant in NAMES)
    assert all(goal.name in {name, "lean"} for goal in result.goals)
    lost = [goal.value for goal in result.goals if "neither exported nor counted" in goal.claim]
    assert lost == ([0.0] if name == "P5" else [])


@pytest.mark.parametrize(("measured", "status"), [(0.7, 0), (0.9, 1)])
def test_only_a_required_goal_that_is_missed_fails_the_command(
    measured: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The others are facts to be printed; --json has them all."""
    goals = (Goal("P1", "to tenacity", 5.0, 0.33), Goal("lean", "to textbook", measured, 0.8, required=True))
    result = Result("a title", ("ours",), (), Rounds([{"ours": {"cpu": 1.0}}]), goals)
    monkeypatch.setattr(command, "GOALS", {"P1": Mock(return_value=result)})
    file = tmp_path / "results.json"
    assert command.main(["--rounds", "1", "--only", "P1", "--json", str(file)]) == status
    assert "FALL SHORT" in capsys.readouterr().out
    (written,) = json.loads(file.read_text())["results"]
    assert [goal["verdict"] for goal in written["goals"]] == [
        "FALL SHORT",
        "FALL SHORT" if status else "PASS",
    ]
    assert written["samples"] == [{"ours": {"cpu": 1.0}}]


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_wrong_number_of_rounds_is_refused(rounds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is measured."""
    with pytest.raises(SystemExit):
        command.main(["--rounds", rounds])
    assert f"must be a whole number >= 1, got '{rounds}'" in capsys.readouterr().err
