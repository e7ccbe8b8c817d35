"""Faults as data: what is drawn, by a fixed seed; what is refused, in words."""

import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retryscope_service.upstream.faults import FAULTS, Faults, draw, read_faults
from retryscope_service.upstream.latency import Fixed


def test_without_faults_nothing_is_done() -> None:
    rng = Random(1)
    assert {draw(Faults(), rng).fault for _ in range(1_000)} == {None}


def test_each_fault_is_drawn_as_often_as_it_should() -> None:
    faults = Faults(
        error=0.3, rate_limited=0.1, unavailable=0.1, hang=0.05, reset=0.05, truncated=0.1, slow_body=0.1
    )
    rng, count = Random(3), 20_000
    found = Counter(draw(faults, rng).fault for _ in range(count))
    for fault in FAULTS:
        assert found[fault] / count == pytest.approx(faults.probability(fault), abs=0.01)
    assert found[None] / count == pytest.approx(0.2, abs=0.01)


@given(st.sampled_from(FAULTS), st.integers(0, 2**53))
def test_a_certain_fault_is_always_drawn(fault: Any, seed: int) -> None:
    assert draw(Faults.model_validate({fault: 1}), Random(seed)).fault == fault


def test_the_same_seed_draws_the_same() -> None:
    faults = Faults(error=0.5, reset=0.2)
    first, second = Random(5), Random(5)
    assert [draw(faults, first) for _ in range(100)] == [draw(faults, second) for _ in range(100)]


def test_the_latency_is_drawn_beside_the_fault() -> None:
    faults = Faults(latency=Fixed(distribution="fixed", seconds=0.5), error=1)
    assert draw(faults, Random(1)).latency == 0.5


@given(st.dictionaries(st.sampled_from(FAULTS), st.floats(0, 1)))
def test_the_probabilities_may_add_up_to_one_and_no_more(shares: dict[str, float]) -> None:
    if sum(shares.values()) <= 1:
        Faults.model_validate(shares)
    elif sum(shares.values()) > 1.001:
        with pytest.raises(ValidationError, match=r"add up to .* may at most to 1"):
            Faults.model_validate(shares)


def test_shares_that_only_rounding_makes_more_than_one_are_taken() -> None:
    """As 0.1 + 0.2 + 0.7 in many an order."""
    Faults(error=0.7, hang=0.1, reset=0.1, truncated=0.1)


@pytest.mark.parametrize(
    ("path", "hold"),
    [("/job", True), ("/job/pay", True), ("/works", False), ("/", False)],
)
def test_they_hold_for_a_path_and_all_below_it(path: str, hold: bool) -> None:
    assert Faults(paths=("/job",)).hold_for(path) is hold


def test_a_slash_at_the_end_of_a_path_changes_nothing() -> None:
    assert Faults(paths=("/job/",)).hold_for("/job")
    assert Faults(paths=("/",)).hold_for("/job")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error": 1.5}', "error is 1.5: input should be less than or equal to 1."),
        ('{"eror": 0.5}', "eror is not a parameter here."),
        ('{"error": "0.5"}', 'error is "0.5": input should be a valid number.'),
        ('{"retry_after": 0.5}', "retry_after is 0.5"),
        ('{"paths": ["work"]}', 'paths.0 is "work"'),
        ('{"hang_seconds": 4000}', "less than or equal to 3600"),
        ('{"error": 0.6, "hang": 0.6}', "add up to 1.2, and may at most to 1"),
        ('{"error": ', "not JSON"),
        ("/nowhere/faults.json", "or a file with it: [Errno 2]"),
        ("error=1", "faults are JSON such as"),
    ],
)
def test_what_is_wrong_is_said_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read_faults(text)


def test_they_can_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"error": 0.25, "paths": ["/job/pay"]}))
    assert read_faults(str(file)) == Faults(error=0.25, paths=("/job/pay",))


def test_no_text_is_no_faults() -> None:
    assert read_faults(" ") == Faults()


def test_every_field_is_described_and_numbers_are_bounded() -> None:
    """As every parameter of this project."""
    schema = Faults.model_json_schema()
    definitions = {name: each["properties"] for name, each in schema["$defs"].items()}
    for properties in (schema["properties"], *definitions.values()):
        for name, field in properties.items():
            assert field.get("description") or name == "distribution"
            kinds = [field, *field.get("anyOf", ())]
            assert all(
                {"maximum"} <= kind.keys() for kind in kinds if kind.get("type") in ("number", "integer")
            )
